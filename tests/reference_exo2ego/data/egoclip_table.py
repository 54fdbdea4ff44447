"""Rows of ``egoclip.csv`` in the columns of the official reader."""

from __future__ import annotations

from pathlib import Path

HEADER = (
    "clip_idx\tvideo_uid\tvideo_dur\tnarration_source\tnarration_ind\tnarration_time\tclip_start\tclip_end\tclip_text"
    "\ttag_verb\ttag_noun"
)
FIRST = '0\tuid-a\t480.0\tnarration_pass_1\t3\t2.5\t-0.4\t3.1\t#C C says "yes", picks a #unsure\t[93]\t[13, 2]'
SECOND = "1\tuid-a\t480.0\tnarration_pass_2\t9\t479.9\t479.0\t481.5\t#O A man X waves\t[1]\t[]"


def table(folder: Path, *lines: str) -> Path:
    """Write the table; its path."""
    path = folder / "egoclip.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path
