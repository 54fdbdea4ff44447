"""Exo2Ego (arXiv 2503.09143): an egocentric learner that is led by an exocentric demonstrator.

Read it in this order: :mod:`.stages` and :mod:`.configuration` (the stages, sizes, and a named switch for all that the
paper leaves open), :mod:`.mapping` (F and G), :mod:`.losses`, :mod:`.words` (text with a place for the video),
:mod:`.exo2ego` (the model), :mod:`.freezing` (what trains when). :mod:`.initial` begins from published weights,
:mod:`.checkpoint` saves and loads, :mod:`.export` and :mod:`.card` make of a checkpoint what can be handed on.
"""
