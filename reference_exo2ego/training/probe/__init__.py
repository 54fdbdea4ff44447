"""A supervised probe: what a classifier of MiniEgo's facts reaches from the very frames that a model is trained on.

Facts are recognised from frames by :mod:`.network`, which :mod:`.fitting` trains on the training world. What an option
of a question claims about them is written down by hand in :mod:`.claims`, so no language model stands in between. The
result says how much of a task the frames give away to a small classifier: a reference for the model, and a ceiling as
far as the classifier's recognition goes.
"""
