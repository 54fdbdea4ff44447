"""Frozen sample sets: built from official files, kept on disk, audited for what they give away."""
