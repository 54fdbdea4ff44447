"""The viewer: static pages of every sample of some runs, with the frames that the models were shown."""
