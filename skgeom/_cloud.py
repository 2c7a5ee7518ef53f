"""Rows whose checks and summaries are computed once for all measures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial, reduce, wraps
from itertools import zip_longest
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeAlias, TypeVar
from weakref import ref

import numpy as np

from skgeom._array import in_parts, is_dask, kind_of, no_room, same_kind, take_rows, wants_gradient
from skgeom._core._threads import in_threads, one_blas_thread, one_of_many
from skgeom._dask import chunks_of, dask_rows, summed_in_tree
from skgeom._typing import Array

P = ParamSpec("P")
R = TypeVar("R")


class Mergeable(Protocol):
    """A summary of rows: that of a union follows from those of its two parts."""

    def merge(self, other: Self, /) -> Self: ...


class Sum(Mergeable, Protocol):
    """A sum that can be merged from those of parts, and from which that of a part can be subtracted."""

    def merge(self, *others: Self) -> Self: ...

    def without(self, part: Self, rest: Sequence[Self]) -> Self:
        """Return the sum without a part, given the other parts."""
        ...


M = TypeVar("M", bound=Mergeable)
S = TypeVar("S", bound=Sum)

Kernel: TypeAlias = Callable[[Any, np.ndarray | None], S]
"""From the checked rows, an array or a tuple of arrays of the same length, the sum of those at some positions or, for
None, of all. It gathers the rows while it sums them, so no copy of a part is made."""


class Cloud:
    """Rows that can replace X anywhere; each check and each summary of them is computed once.

    All functions of `skgeom.metrics` accept one as X. It keeps every result, and assumes that rows and labels do not
    change.
    """

    def __init__(self, X: Any) -> None:
        self.X = X
        self._known: dict[object, tuple[object, Any]] = {}

    def known(self, key: object, given: object, compute: Callable[[], R]) -> R:
        """Return the result stored under a key, or compute it; the objects in the key stay alive with it."""
        if key not in self._known:
            self._known[key] = given, compute()
        return self._known[key][1]

    @property
    def whole(self) -> Cloud:
        """The cloud to which these rows belong."""
        return self

    def sum(self, kernel: Kernel[S], check: Callable[[Any], Any]) -> S:
        """Return the sum of the checked rows."""
        return self.known(_key(kernel, check), check, lambda: kernel(check(self), None))


class Chunks(Cloud):
    """A cloud that is a Dask array: its workers sum up its chunks and merge the sums.

    It is never computed as a whole: functions that need the rows raise an error.
    """

    def sum(self, kernel: Kernel[S], check: Callable[..., Any]) -> S:
        """Return the sum of the checked rows; a worker holds one chunk at a time."""
        needed: dict[str, Any] = check.keywords if isinstance(check, partial) else {}

        def compute() -> S:
            chunks = chunks_of(dask_rows(self.X, needed.get("name", "X")))
            return sum_of_chunks(partial(_sum_of_chunk, kernel, check), chunks, needed.get("min_samples", 2))

        return self.known(_key(kernel, check), check, compute)


class Stream(Cloud):
    """A cloud whose rows come in blocks and only once: one of its sums can be formed."""

    def sum(self, kernel: Kernel[S], check: Callable[..., Any]) -> S:
        """Return the sum of the checked rows, with one block in memory at a time."""
        needed: dict[str, Any] = check.keywords if isinstance(check, partial) else {}

        def of_block(rows: Any) -> tuple[tuple[Array], S]:
            checked = check(rows, part="a block")
            return (checked[0] if isinstance(checked, tuple) else checked,), kernel(checked, None)

        def compute() -> S:
            return sum_of_blocks(of_block, ((rows,) for rows in self.X), needed.get("min_samples", 2))

        return self.known(_key(kernel, check), check, compute)


class TooLarge(Cloud):
    """Rows on the host that do not fit on a device: their sums are formed there, from a part of the rows at a time.

    Anything that needs all the rows is an error.
    """

    def __init__(self, rows: np.ndarray, device: str) -> None:
        self.rows = rows
        self.device = device
        self._known = {}

    @property
    def X(self) -> Any:  # noqa: N802
        """Raise the error that the rows do not fit."""
        raise no_room(self.device, "all rows are needed there at once")

    def sum(self, kernel: Kernel[S], check: Callable[[Any], Any]) -> S:
        """Return the sum of the checked rows."""
        parts = in_parts(partial(_sum_of_chunk, kernel, check), self.device, self.rows)
        return self.known(_key(kernel, check), check, lambda: reduce(lambda a, b: a.merge(b), parts))


class Blocks(Cloud):
    """A cloud in blocks of rows: its sums are merged from those of the blocks, so any block can be left out.

    `codes` (n,) are the blocks of the rows, from 0 without a gap.
    """

    def __init__(self, X: Any, codes: np.ndarray) -> None:
        super().__init__(X)
        self.codes = codes
        order = np.argsort(codes.astype(np.min_scalar_type(codes.max())), kind="stable")
        self.rows = np.split(order, np.cumsum(np.bincount(codes))[:-1])
        self.rest = [Remainder(self, block) for block in range(len(self.rows))]

    def sum(self, kernel: Kernel[S], check: Callable[[Any], Any]) -> S:
        """Return the sum of all rows."""
        return self._sums(kernel, check)[0]

    def sum_without(self, block: int, kernel: Kernel[S], check: Callable[[Any], Any]) -> S:
        """Return the sum of the rows of all blocks but one."""
        whole, parts = self._sums(kernel, check)
        return whole.without(parts[block], parts[:block] + parts[block + 1 :])

    def _sums(self, kernel: Kernel[S], check: Callable[[Any], Any]) -> tuple[S, list[S]]:
        """Return the sum of all rows and those of the blocks."""

        def compute() -> tuple[S, list[S]]:
            checked = check(self)
            x = checked[0] if isinstance(checked, tuple) else checked
            parts = in_threads(x, lambda block: kernel(checked, self.rows[block]), len(self.rows))
            return parts[0].merge(*parts[1:]), parts

        return self.known(_key(kernel, check), check, compute)


class Remainder(Cloud):
    """A cloud in blocks without one of them: its sums follow from theirs, and its rows are gathered on request."""

    def __init__(self, blocks: Blocks, block: int) -> None:
        self._blocks = ref(blocks)  # no cycle: it would keep all sums until a garbage collection
        self.block = block
        self._known = {}

    @property
    def blocks(self) -> Blocks:
        """The cloud with the block."""
        blocks = self._blocks()
        assert blocks is not None
        return blocks

    @property
    def whole(self) -> Cloud:
        """The cloud with the block."""
        return self.blocks

    @cached_property
    def X(self) -> Any:  # noqa: N802
        """The rows of the other blocks, in their order."""
        return self.rest_of(self.blocks.X)

    @property
    def n_rows(self) -> int:
        """The number of rows of the other blocks."""
        return self.blocks.codes.size - self.blocks.rows[self.block].size

    def rest_of(self, values: Any) -> Any:
        """Return the values of the rows of the other blocks."""
        return take_rows(values, np.flatnonzero(self.blocks.codes != self.block))

    def sum(self, kernel: Kernel[S], check: Callable[[Any], Any]) -> S:
        """Return the sum of the rows of the other blocks."""
        return self.blocks.sum_without(self.block, kernel, check)


def sum_of(X: Any, kernel: Kernel[S], check: Callable[[Any], Any]) -> S:
    """Return the sum of checked rows; a cloud computes its own."""
    return as_cloud(X).sum(kernel, check)


def sum_of_chunks(of_chunk: Callable[..., M], chunks: Sequence[tuple[Any, ...]], min_samples: int) -> M:
    """Return the sum over chunks of rows, computed by the workers of Dask; chunks without rows are left out.

    The error of a failed chunk is raised.

    Raises
    ------
    ValueError
        If there are fewer rows than needed.
    """
    with one_blas_thread():  # workers can be threads of this process, each with its own chunk
        n, total = summed_in_tree(partial(_counted, of_chunk), _merged_counts, chunks).compute()
    if n < min_samples:
        raise ValueError(f"Found Dask chunks of {n} sample(s) while a minimum of {min_samples} is required.")
    return total


def _sum_of_chunk(kernel: Kernel[S], check: Callable[..., Any], rows: Any) -> S:
    """Return the sum of a chunk, in its smaller form."""
    return kernel(check(rows, part="a chunk"), None)


def sum_of_blocks(
    of_block: Callable[..., tuple[tuple[Array, ...], M]], blocks: Iterable[tuple[Any, ...]], min_samples: int
) -> M:
    """Return the sum over blocks, each with one array or several of the same length, one block after another.

    `of_block` returns the checked rows of each array, and their sum.

    Raises
    ------
    ValueError
        If there are fewer rows than needed, or blocks differ in width, library or device.
    """
    n, first, total = 0, None, None
    for block in blocks:
        arrays, part = of_block(*block)
        first = tuple(x[:1, :] for x in arrays) if first is None else first
        for x, like in zip(arrays, first, strict=True):
            if x.shape[1] != like.shape[1] or not same_kind(x, like):
                raise ValueError(
                    f"A block of rows has {x.shape[1]} features ({kind_of(x)}), but the first one has {like.shape[1]} "
                    f"({kind_of(like)}): all blocks must be in the same space."
                )
        n, total = n + arrays[0].shape[0], part if total is None else total.merge(part)
    if total is None or n < min_samples:
        raise ValueError(f"Found blocks of {n} sample(s) while a minimum of {min_samples} is required.")
    return total


def side_by_side(**streams: Iterator[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the blocks of several iterators over the same rows, by name.

    Raises
    ------
    TypeError
        If one is not an iterator.
    ValueError
        If two are the same iterator, which would pair each block with the next, or one ends before the others.
    """
    names = " and ".join(streams)
    for name, stream in streams.items():
        if not isinstance(stream, Iterator):
            raise TypeError(f"{names} must be iterators of blocks if one is: cut {name} like the rest.")
    if len(set(map(id, streams.values()))) < len(streams):
        raise ValueError(f"{names} are one iterator, which yields each block once: pass two of the same blocks.")
    for blocks in zip_longest(*streams.values()):
        ended = [name for name, block in zip(streams, blocks, strict=True) if block is None]
        if ended:
            raise ValueError(f"{ended[0]} has fewer blocks than the others: cut all alike.")
        yield blocks


def _counted(of_chunk: Callable[..., M], *chunk: Any) -> tuple[int, M | None]:
    """Return the number of rows in a chunk, and their sum if there are any."""
    n, *others = (part.shape[0] for part in chunk if hasattr(part, "shape"))
    if others and (0 in others) != (n == 0):
        raise ValueError(
            f"Chunks that belong together have {n} and {others[0]} rows: X and y must have one row each for every pair."
        )
    with one_of_many():
        return n, of_chunk(*chunk) if n else None


def _merged_counts(parts: Sequence[tuple[int, Any]]) -> tuple[int, Any]:
    """Return the number of rows in several chunks, and their sum if there are any."""
    filled = [total for _, total in parts if total is not None]
    return sum(n for n, _ in parts), reduce(lambda a, b: a.merge(b), filled) if filled else None


def as_cloud(X: Any) -> Cloud:
    """Return rows as a cloud, unless they already are one."""
    if isinstance(X, Cloud):
        return X
    if is_dask(X):
        return Chunks(X)
    return Stream(X) if is_stream(X) else Cloud(X)


def rows_of(X: Any) -> Any:
    """Return the rows themselves."""
    return X.X if isinstance(X, Cloud) else X


def is_stream(X: Any) -> bool:
    """Return whether the rows come in blocks and only once."""
    return isinstance(_rows_at_hand(X), Iterator)


def comes_in_parts(X: Any) -> bool:
    """Return whether rows are not in one memory: they are Dask chunks, or blocks of an iterator."""
    return is_dask(X) or is_stream(X)


def is_to_be_moved(X: Any) -> bool:
    """Return whether a derivative with respect to the rows may be requested later."""
    return wants_gradient(_rows_at_hand(X))


def _rows_at_hand(X: Any) -> Any:
    """Return the rows themselves, or None for a cloud that holds only sums, or has not gathered them yet."""
    return vars(X).get("X") if isinstance(X, Cloud) else X


def once_per_cloud(summary: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """Return a function of rows that is computed once per `Cloud` and set of further arguments."""

    @wraps(summary)
    def of(X: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if not isinstance(X, Cloud):
            return summary(X, *args, **kwargs)
        key = (summary, tuple(map(_mark, args)), tuple((name, _mark(kwargs[name])) for name in sorted(kwargs)))
        return X.known(key, (args, kwargs), lambda: summary(X, *args, **kwargs))

    return of


def _key(kernel: Kernel[Any], check: Callable[[Any], Any]) -> object:
    """Return the key of a sum."""
    return (kernel, check.func, *sorted(check.keywords.items())) if isinstance(check, partial) else (kernel, check)


def _mark(value: object) -> object:
    """Return the key of an argument: a plain value itself, an object by identity."""
    return value if isinstance(value, str | int | float | None) else id(value)
