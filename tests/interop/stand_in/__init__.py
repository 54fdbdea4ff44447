"""What stands in for lmms-eval where it is not installed, and models that run in both."""
