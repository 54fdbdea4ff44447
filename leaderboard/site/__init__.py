"""The site of a board: static pages that open from the disk, without a network, and read without JavaScript."""
