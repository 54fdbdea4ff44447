"""The world: vocabulary, scenes, plans, and the simulated episodes of all splits."""
