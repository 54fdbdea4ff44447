"""Exo2Ego (arXiv 2503.09143): an egocentric learner that is led by an exocentric demonstrator.

Read it in this order: :mod:`.configuration` (sizes, and a named switch for all that the paper leaves open),
:mod:`.mapping` (F and G), :mod:`.losses`, :mod:`.words` (text with a place for the video), :mod:`.exo2ego` (the model),
:mod:`.stages` (what trains when). :mod:`.initial` begins from published weights, :mod:`.checkpoint` saves and loads,
:mod:`.card` writes the model card.
"""
