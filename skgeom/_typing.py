"""The three words that every signature uses.

Arrays of different libraries share no base class, so the annotations name the kind and the docstrings the shape.
"""

from types import ModuleType
from typing import Any, TypeAlias

Array: TypeAlias = Any
"""An array of NumPy, Torch, CuPy or any library of the array API standard."""

Namespace: TypeAlias = ModuleType
"""The array API functions that go with an array, by convention named ``xp``."""

Device: TypeAlias = Any
"""Where an array lives, in the words of its own library."""
