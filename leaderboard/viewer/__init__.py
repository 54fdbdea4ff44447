"""The viewer: every sample of one or several runs, with the frames that the model saw; static, opens from the disk."""
