"""Embeddings block by block, from sources that are larger than the memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from skgeom._array import is_foreign
from skgeom.datasets._files._choice import choose_matrix, columns_of
from skgeom.datasets._files._door import check_not_empty, check_same_columns, read_file, real_rows
from skgeom.datasets._files._formats import NAMED, reading, shards
from skgeom.datasets._files._source import Source
from skgeom.datasets._files._tables import Table, table_of

BLOCK_ROWS = 4_096
"""Rows per block, for every source: blocks of two sources with paired rows are pairs too."""


def iter_embeddings(source: str | PathLike[str] | Any, *, key: str | None = None) -> Iterator[np.ndarray]:
    """Read embeddings block by block, if they do not fit into memory.

    The blocks can be passed to everything that is built on sums: measures that take a `CloudSummary`, `cloud_summary`,
    `paired_summary`, and `fit` and `partial_fit` of `Whitening`, `AllButTheTop` and the aligners. `transform_into` maps
    them into a file.

    Parameters
    ----------
    source : str, path-like or object
        The source of the rows:

        * a file or a folder of shards, as for `load_embeddings`. ``.npy`` files and tables are read block by block,
          others one file at a time;
        * an Arrow dataset (``pyarrow.dataset.dataset``), with its filter if it has one, a
          ``pyarrow.parquet.ParquetFile`` or a ``pyarrow.Table``;
        * a chunked array on a disk, such as ``zarr.Array`` or ``h5py.Dataset``: anything two-dimensional that can be
          sliced. If it has `chunks`, whole chunks are read.
    key : str, default=None
        Name of the array or column, or pattern of columns, if there may be several, as for `load_embeddings`.

    Yields
    ------
    ndarray of shape (4096, n_features)
        Rows in order; the last block may have fewer. The blocks of two sources with paired rows are paired too.

    Raises
    ------
    OSError
        If a file or folder cannot be read.
    ImportError
        If a library for the format is not installed.
    TypeError
        If the source is none of these. Pass a Dask array itself to the functions that accept blocks.
    ValueError
        As in `load_embeddings`, with the name of the file; if a cell of a table is null, with its column and row; if
        shards differ in width or columns, with both names.

    See Also
    --------
    load_embeddings : All rows in one array, with their words.
    skgeom.summary.cloud_summary : Several measures after one pass.

    Notes
    -----
    In memory are one block and the indivisible unit of the format: a few pages of Parquet (a row group for a
    `ParquetFile` opened with its defaults, some copies of one for an Arrow dataset), a chunk, or a whole file if it is
    packed or in another format.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skgeom.datasets import iter_embeddings
    >>> from skgeom.metrics import isoscore
    >>> X = np.random.default_rng(0).normal(size=(10_000, 8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for i, shard in enumerate(np.split(X, 4)):
    ...         np.save(Path(folder, f"shard-{i}.npy"), shard)
    ...     print([len(block) for block in iter_embeddings(folder)])
    ...     print(bool(np.isclose(isoscore(iter_embeddings(folder)), isoscore(X))))
    [4096, 4096, 1808]
    True
    """
    if isinstance(source, str | PathLike):
        return _cut(_parts_of_files(shards(Path(source)), key))
    name = Path(type(source).__name__)
    if hasattr(source, "to_batches") or hasattr(source, "iter_batches"):
        return _cut(real_rows(name, part) for part in _batches(source, key))
    if is_foreign(source) or len(getattr(source, "shape", ())) != 2:
        raise TypeError(
            "Expected a path, an Arrow dataset, a Parquet file, a table, or an array (n_samples, n_features) that can "
            f"be sliced, got {name}."
        )
    if key is not None:
        raise ValueError(f"{name} is one array without a name, got key={key!r}. Leave the key out.")
    check_not_empty(name, source)
    return _cut(real_rows(name, part) for part in _slices(source))


def _parts_of_files(files: list[Path], key: str | None) -> Iterator[np.ndarray]:
    """Yield the rows of files of one width, in parts of any size."""
    first, first_columns = None, None
    for file in files:
        for part, columns in _parts_of_file(file, key):
            part = real_rows(file, part)
            if first is None:
                first, first_columns = part.shape[1], columns
            if part.shape[1] != first:
                raise ValueError(
                    f"{file}: expected rows of {first} numbers, as in {files[0]}, got {part.shape[1]}. Put the files "
                    "of one model into a folder of their own."
                )
            check_same_columns(file, columns, files[0], first_columns)
            yield part


def _parts_of_file(file: Path, key: str | None) -> Iterator[tuple[np.ndarray, tuple[str, ...] | None]]:
    """Yield the rows of a file, in parts of any size, and the columns that they come from."""
    with reading(file):
        source = Source(file, key)
        if source.suffix in NAMED:
            with NAMED[source.suffix](source) as found:
                if isinstance(found, Table):
                    matrix = choose_matrix(found)
                    columns = columns_of(found, matrix)
                    yield from ((block, columns) for block in found.blocks(matrix.names))
                    return
    yield read_file(file, key, None).data, None


def _batches(value: Any, key: str | None) -> Iterator[np.ndarray]:
    """Yield the rows of an Arrow object, in its batches."""
    with reading(Path(type(value).__name__)):
        table = table_of(value, key)
        yield from table.blocks(choose_matrix(table).names)


def _slices(array: Any) -> Iterator[np.ndarray]:
    """Yield rows of an array that can be sliced, in whole chunks."""
    height = (getattr(array, "chunks", None) or (1,))[0]
    step = height * -(-BLOCK_ROWS // height)
    for start in range(0, array.shape[0], step):
        yield np.asarray(array[start : start + step])


def _cut(parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield rows in blocks of one size; a block within one array of native numbers is a view."""
    pieces: list[np.ndarray] = []
    for part in parts:
        start = 0
        while start < len(part):
            piece = part[start : start + BLOCK_ROWS - sum(map(len, pieces))]
            start += len(piece)
            pieces.append(piece.astype(piece.dtype.newbyteorder("="), copy=False))  # as if put together with others
            if sum(map(len, pieces)) == BLOCK_ROWS:
                yield pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
                pieces = []
    if pieces:
        yield np.concatenate(pieces)
