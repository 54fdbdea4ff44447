"""Training Exo2Ego: a recipe's stages, one after the other, resumed exactly where they stopped.

Read it in this order: :mod:`.recipe` (what is trained how), :mod:`.batches` (what a step trains on), :mod:`.engine`
(who takes the steps), :mod:`.loop` (a stage), :mod:`.run` (all stages, in a folder).
"""
