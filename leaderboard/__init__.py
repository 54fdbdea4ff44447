"""Boards made of runs: what can be compared, the site that shows it, and the viewer of every sample."""
