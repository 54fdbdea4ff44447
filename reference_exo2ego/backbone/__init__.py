"""VideoLLaMA2 on transformers' own parts: the ground that Exo2Ego stands on.

A vision tower sees each frame, a convolutional connector joins frames and neighbouring patches into tokens, a language
model reads them among the words of a prompt (arXiv 2406.07476). Published checkpoints load by a strict map of names.
"""
