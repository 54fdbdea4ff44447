"""The leaderboard, generated from runs: bundles, checks, pages."""
