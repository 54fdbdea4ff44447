"""How a run is done: prompts made, a model called, predictions recorded."""
