"""What Exo2Ego is trained on: official annotation files to training samples, and the guard against leaks."""
