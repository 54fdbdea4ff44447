"""Charts: numbers to SVG and PNG. They know shapes and texts, and nothing of tasks, runs or commands."""
