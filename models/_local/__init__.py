"""What local models share: devices, greedy generation, scoring of options, checkpoints on disk, simple baselines."""
