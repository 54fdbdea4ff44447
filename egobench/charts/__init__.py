"""Charts: numbers to SVG. They know shapes and texts, and nothing of tasks, runs or commands."""
