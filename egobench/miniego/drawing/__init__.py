"""Drawing: sprites, views of an episode, and video files."""
