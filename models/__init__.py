"""The model adapters: one module a family, ``def load(...) -> Model`` last."""
