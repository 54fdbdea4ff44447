"""Model adapters: one module or folder per family, ``def load(...) -> Model`` last.

A name that begins with an underscore is no model: :mod:`egobench.models._local` holds what families share.
"""
