"""EgoIT: five data sets as questions, answers and instructions, section 3.3 of arXiv 2503.09143."""
