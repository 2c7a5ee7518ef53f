"""Torch is needed to optimise, not to import: files that use it are loaded on first use."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def load(module: str) -> ModuleType:
    """Import a file of this package that needs Torch.

    Raises
    ------
    ImportError
        If Torch is not installed.
    """
    try:
        return import_module(f"skgeom.optim.{module}")
    except ImportError as error:
        if error.name != "torch":
            raise
        raise ImportError(
            'skgeom.optim optimises with Torch, which is not installed: pip install "scikit-embedding-geometry[torch]"',
            name="torch",
        ) from None
