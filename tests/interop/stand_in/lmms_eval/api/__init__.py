"""What a model is, and what it is asked."""
