"""Engines: where the parts of a run are done. They know nothing of tasks and metrics."""
