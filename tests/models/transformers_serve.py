"""A script, ``transformers_serve.py MODEL PORT``: transformers serve where torchvision cannot decode images."""

from __future__ import annotations

import sys
from typing import Any

import torch

from egobench.torchvision_ops import ensure_torchvision


def main(model: str, port: int) -> None:
    """Serve one model on this machine until the process is ended."""
    remedy = ensure_torchvision()
    torch.set_num_threads(1)
    from transformers import image_processing_backends, image_utils
    from transformers.cli.serve import Serve

    if remedy == "declared":
        # Its compiled decoder is missing, too; Pillow reads the same pixels of a PNG file.
        backends: Any = image_processing_backends
        as_tensor = backends.load_image_as_tensor
        backends.load_image_as_tensor = lambda image: as_tensor(image_utils.load_image(image))
    Serve(force_model=model, host="127.0.0.1", port=port, device="cpu")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
