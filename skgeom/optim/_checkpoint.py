"""The complete state of a fit in a file, from which the same fit continues."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import torch

from skgeom._array import is_foreign, to_numpy
from skgeom._warnings import warn
from skgeom._whole_file import whole_file

_KIND = "skgeom checkpoint 1"
_NOT_COMPARED = ("verbose", "checkpoint", "checkpoint_every")
"""Parameters that do not change the result."""


class Checkpoint:
    """A file with the state of one fit, identified by marks of its parameters and data."""

    def __init__(self, path: Any, every: int, parameters: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.every = every
        self._marks = {name: mark(value) for name, value in parameters.items() if name not in _NOT_COMPARED}
        self._marks |= {name: mark(_on_host(value)) for name, value in data.items()}
        self._has_failed = False

    def read(self) -> dict[str, Any] | None:
        """Return the state that the file holds, or None if the file does not exist.

        Raises
        ------
        ValueError
            If the file holds no state, or the state of a fit with other data or parameters.
        """
        if not self.path.exists():
            return None
        found = _loaded(self.path)
        names = sorted({*found["marks"], *self._marks})
        others = [name for name in names if found["marks"].get(name) != self._marks.get(name)]
        if others:
            raise ValueError(
                f"The checkpoint {str(self.path)!r} belongs to another fit: {', '.join(others)} differ. Fit with the "
                "same data and parameters, remove the file, or pass another path."
            )
        return found["state"]

    def write(self, state: Mapping[str, Any]) -> None:
        """Write a state under a temporary name and move it into place; a disk error does not end the fit."""
        try:
            with whole_file(self.path) as file:
                torch.save({"kind": _KIND, "marks": self._marks, "state": dict(state)}, file)
        except (OSError, RuntimeError) as error:
            self._warn(error)

    def remove(self) -> None:
        """Remove the file of a completed fit."""
        self.path.unlink(missing_ok=True)

    def _warn(self, error: Exception) -> None:
        if not self._has_failed:
            self._has_failed = True
            warn(
                f"The checkpoint {str(self.path)!r} could not be written ({error}). The fit continues and tries again.",
                RuntimeWarning,
            )


class Saver:
    """Writes the state of a descent and of its start to a checkpoint."""

    def __init__(self, checkpoint: Checkpoint, beside: Callable[[], dict[str, Any]]) -> None:
        self.every = checkpoint.every
        self._checkpoint = checkpoint
        self._beside = beside

    def save(self, descent: Mapping[str, Any]) -> None:
        """Write the state of a descent, and the state beside it."""
        self._checkpoint.write({"descent": descent, **self._beside()})


def mark(value: Any) -> str:
    """Return a text that is the same for the same parameter or data, in another process too.

    Functions are known by their names, their code, and the numbers, strings, arrays, functions and tuples of these
    that they hold as defaults or from functions around them; other objects by their class.
    """
    if value is None or isinstance(value, str | int | float):
        return repr(value)
    if isinstance(value, np.generic):
        return repr(value.item())
    if isinstance(value, torch.nn.Module):
        return mark(value.state_dict())
    if isinstance(value, np.ndarray):
        entries = value.tobytes() if value.dtype.kind in "biufcSU" else repr(value.tolist()).encode()
        return f"{value.dtype} {value.shape} {hashlib.sha256(entries).hexdigest()}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{mark(key)}: {mark(one)}' for key, one in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(mark, value))}]"
    if isinstance(value, partial):
        return f"partial({mark(value.func)}, {mark(value.args)}, {mark(value.keywords)})"
    if is_foreign(value):
        return mark(to_numpy(value))
    name = getattr(value, "__qualname__", None)
    if name is None:
        return f"{type(value).__module__}.{type(value).__qualname__}"
    return f"{value.__module__}.{name} {_contents(value) if isinstance(value, FunctionType) else ''}"


def _contents(function: FunctionType, around: tuple[FunctionType, ...] = ()) -> str:
    """Return a mark of the code of a function and of what it holds, given the functions that hold it."""
    held = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # a name that the outer function has not bound
            held.append(cell.cell_contents)
    parts = [_code(function.__code__), *(_held(value, (*around, function)) for value in held)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _held(value: Any, around: tuple[FunctionType, ...]) -> str:
    """Return a mark of a value that functions hold; other objects may change while they run, as counters do."""
    if isinstance(value, FunctionType):
        return _code(value.__code__) if value in around else _contents(value, around)
    if isinstance(value, tuple):
        return f"({', '.join(_held(one, around) for one in value)})"
    is_constant = value is None or isinstance(value, str | int | float | np.generic | np.ndarray) or is_foreign(value)
    return mark(value) if is_constant else f"{type(value).__module__}.{type(value).__qualname__}"


def _code(code: CodeType) -> str:
    """Return the operations, names and constants of code, also of the functions inside, the same in every process."""
    constants = [_code(one) if isinstance(one, CodeType) else _constant(one) for one in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} [{', '.join(constants)}]"


def _constant(value: Any) -> str:
    return str(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)


def random_state_to_plain(rng: np.random.RandomState) -> list[Any]:
    """Return the state of a NumPy generator as plain values."""
    state: Any = rng.get_state(legacy=True)
    return [state[0], state[1].tolist(), *state[2:]]


def random_state_from_plain(values: list[Any]) -> np.random.RandomState:
    """Return a generator in a state that `random_state_to_plain` returned."""
    rng = np.random.RandomState()
    kind, keys, *rest = values
    rng.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    return rng


def _on_host(value: Any) -> Any:
    if value is None or isinstance(value, torch.nn.Module):
        return value
    return np.asarray(to_numpy(value) if is_foreign(value) else value)


def _loaded(path: Path) -> dict[str, Any]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        raise _not_a_checkpoint(path) from error
    if not isinstance(found, dict) or found.get("kind") != _KIND:
        raise _not_a_checkpoint(path)
    return found


def _not_a_checkpoint(path: Path) -> ValueError:
    return ValueError(
        f"The file {str(path)!r} is not a checkpoint that this version of skgeom can read. Remove it, or pass another "
        "path."
    )
