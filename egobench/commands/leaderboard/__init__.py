"""The commands of ``egobench leaderboard``: one module per command."""
