"""The model adapters: a module or a folder a family, ``def load(...) -> Model`` last.

Modules whose names begin with an underscore are no models: families share them.
"""
