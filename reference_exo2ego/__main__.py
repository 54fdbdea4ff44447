"""``python -m reference_exo2ego``: the command ``exo2ego``, for launchers that start modules."""

from __future__ import annotations

from reference_exo2ego.cli import main

if __name__ == "__main__":
    main()
