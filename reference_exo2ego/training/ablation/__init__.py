"""Ablations: what each part of Exo2Ego adds, as variants of a recipe that are trained and asked alike.

Read it in this order: :mod:`.variants` (what is varied, and the paper's rows), :mod:`.chains` (which stages a variant
is trained in), :mod:`.identity` (when two trainings are the same), :mod:`.work` (all that is to be done, and doing it),
:mod:`.results` (runs to differences), :mod:`.page` (differences to tables and pictures), :mod:`.study` (all of it).
"""
