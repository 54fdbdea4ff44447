"""The tasks: one module each, ``TASK = Task(...)`` last."""
