"""Pages of the site and of the viewer, in Chromium, from the disk."""

from __future__ import annotations
