"""EgoBench beside other harnesses: our tasks in lmms-eval, our models there, and clips that carry exact frames."""
