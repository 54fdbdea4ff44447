"""Ablations: what each part of Exo2Ego adds, as variants of a recipe that are trained and asked in the same way.

Read it in this order: :mod:`.variants` (what is varied, and the paper's rows), :mod:`.chains` (which stages a variant
is trained in), :mod:`.identity` (when two trainings are the same), :mod:`.work_plan` (all trainings and runs),
:mod:`.workspace` (the folder), :mod:`.locking` (which process is at which part), :mod:`.work` (doing it),
:mod:`.results` (runs to differences), :mod:`.page` (differences to tables and pictures), :mod:`.study` (all of it).
"""
