"""Exo2Ego, the reference model of arXiv 2503.09143."""
