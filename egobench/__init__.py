"""EgoBench: egocentric-video evaluation of multimodal language models.

The package itself imports nothing; name what you need: :func:`egobench.plugins.load_task`,
:func:`egobench.plugins.load_model`, :func:`egobench.evaluate.evaluate`, :func:`egobench.video.read_clips`.
"""

from __future__ import annotations

__version__ = "0.1.0"
