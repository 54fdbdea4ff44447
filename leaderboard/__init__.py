"""Leaderboards: bundles and their checks, boards of runs, the site that shows them, and the viewer of samples."""
