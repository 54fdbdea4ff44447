"""Official files: a module per data set that writes its annotation files from episodes."""
