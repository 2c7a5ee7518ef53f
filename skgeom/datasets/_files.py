"""Embeddings from files.

A reader refuses what is wrong with a file; what is wrong with the numbers in it (NaN, too few rows) is found
by whoever computes with them.
"""

from __future__ import annotations

import gzip
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from itertools import islice
from math import prod
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from sklearn.utils import Bunch

from skgeom.datasets._word_vectors import read_word_vectors

_LISTED = 10
_BATCH_ROWS = 16_384

Read: TypeAlias = tuple[np.ndarray, np.ndarray | None]
Header: TypeAlias = tuple[str, tuple[Any, ...]]


def load_embeddings(path: str | PathLike[str], *, key: str | None = None) -> Bunch:
    r"""Read embeddings, and the words they belong to, from a file.

    The suffix tells the format:

    ``.npy``
        One array. It is memory-mapped: rows are read when they are used, and the file may exceed the memory.
    ``.npz``, ``.safetensors``
        The array named `key`, by default the only matrix of floats. In an ``.npz``, words are the only array
        of n strings. A tensor of bfloat16 becomes float32, exactly.
    ``.parquet``
        The column named `key`, by default the only column of vectors; in a file without any, all numeric
        columns are the features, save the index that pandas stores. Words are the only column of strings.
    ``.txt``, ``.vec``, and the same followed by ``.gz``
        word2vec or GloVe text: a word, then its d numbers, on each line. A first line "n d" is optional.
        Words may contain blanks; bytes in them that are not UTF-8 become U+FFFD. The data are float32.

    Parameters
    ----------
    path : str or path-like
        The file.
    key : str, default=None
        Name of the array, tensor or column, for files that can hold several.

    Returns
    -------
    Bunch
        data : ndarray of shape (n_samples, n_features)
            The embeddings in the precision in which they are stored; read-only if memory-mapped.
        words : ndarray of shape (n_samples,) of str objects, or None
            The words. The dtype is object because one long word would widen a fixed-width array as a whole.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If pyarrow or safetensors is needed and not installed.
    ValueError
        If the suffix is unknown, the file is damaged, incomplete or empty, `key` is missing, unknown or of no
        use, the array is not a numeric matrix, or a line or a vector has the wrong length. Python objects are
        never unpickled.

    Notes
    -----
    100,000 lines of 300 numbers take about six seconds, also with words of several parts, and, beyond the
    result, a few megabytes. Text is read twice, first to count the lines. Without a first line "n d", d is how
    many numbers most of the first lines end with. Vectors in Parquet take as long as Arrow needs to read them
    and, beyond the result, the memory of 16,384 vectors or so.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skgeom.datasets import load_embeddings
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "cities.vec")
    ...     _ = path.write_text("2 3\nBern 1 0 0.5\nNew York 0 1 -0.5\n")
    ...     cities = load_embeddings(path)
    >>> cities.data.shape, cities.words
    ((2, 3), array(['Bern', 'New York'], dtype=object))
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a file, got {'a folder' if path.is_dir() else 'nothing'}.")
    reader = _READERS.get(_suffix(path))
    if reader is None:
        raise _unknown_suffix(path)
    if key is not None and reader in (_read_npy, read_word_vectors):
        raise ValueError(f"{path} holds one table without a name, got key={key!r}. Leave the key out.")
    try:
        data, words = reader(path, key)
    except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(path, error) from error
    _check_matrix(data, path)
    return Bunch(data=data, words=words)


def _suffix(path: Path) -> str:
    return "".join(path.suffixes[-2 if path.suffix.lower() == ".gz" else -1 :]).lower()


def _unknown_suffix(path: Path) -> ValueError:
    remedy = "Rename the file to what it is, or save the embeddings with numpy.save."
    if path.suffix.lower() == ".bin":
        remedy = (
            "gensim turns a word2vec binary into text: KeyedVectors.load_word2vec_format(path, binary=True)"
            '.save_word2vec_format("embeddings.vec").'
        )
    supported = ", ".join(_READERS)
    return ValueError(f"{path}: expected one of {supported}, got the suffix {_suffix(path)!r}. {remedy}")


def _damaged(path: Path, reason: object) -> ValueError:
    remedy = "Download it again, or save it again as plain numbers."
    return ValueError(f"{path} is damaged, incomplete or not what its suffix says: {reason}. {remedy}")


def _library(name: str, path: Path) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        remedy = 'pip install "scikit-embedding-geometry[io]"'
        raise ImportError(f"{path} cannot be read without {name}: {remedy}") from error


def _check_matrix(data: np.ndarray, path: Path) -> None:
    if data.dtype.kind not in "fiub":
        raise ValueError(f"{path}: expected real numbers, got the dtype {data.dtype}. Save them as float32.")
    if data.ndim != 2:
        remedy = "x[None, :] makes one row a matrix." if data.ndim == 1 else "Reshape it before you save it."
        raise ValueError(f"{path}: expected shape (n_samples, n_features), got {data.shape}. {remedy}")
    if not data.size:
        raise ValueError(f"{path} is empty: expected rows and columns, got the shape {data.shape}.")


def _choose(path: Path, key: str | None, headers: Mapping[str, Header], floats: Sequence[str]) -> str:
    """Return the key, by default of the only matrix whose dtype is one of the floats."""
    matrices = [name for name, (dtype, shape) in headers.items() if dtype in floats and len(shape) == 2]
    if key is not None and key in headers:
        return key
    if key is None and len(matrices) == 1:
        return matrices[0]
    found = f"no array {key!r}" if key is not None else f"{len(matrices)} matrices of floats"
    listed = [f"{name!r} {dtype} {shape}" for name, (dtype, shape) in islice(headers.items(), _LISTED)]
    more = f" and {len(headers) - _LISTED} more" if len(headers) > _LISTED else ""
    raise ValueError(f"{path} has {found}. Pass one of these as key: {', '.join(listed) or 'none'}{more}.")


def _read_npy(path: Path, _: str | None) -> Read:
    try:
        return np.lib.format.open_memmap(path, mode="r"), None
    except ValueError as error:
        raise _damaged(path, error) from error


def _read_npz(path: Path, key: str | None) -> Read:
    if not zipfile.is_zipfile(path):
        raise _damaged(path, "it is not a complete zip archive")
    with np.load(path, allow_pickle=False) as npz:
        members = [name for name in npz.zip.namelist() if name.endswith(".npy")]
        headers = {name.removesuffix(".npy"): _npz_header(npz.zip, name) for name in members}
        key = _choose(path, key, headers, ("float16", "float32", "float64"))
        dtype, shape = headers[key]
        if dtype == "object":
            raise ValueError(f"{path}: {key!r} holds pickled objects, never read. Save it as float32.")
        words = [name for name, h in headers.items() if "U" in h[0] and h[1] == shape[:1]]
        return npz[key], npz[words[0]].astype(object) if len(words) == 1 else None


def _npz_header(archive: zipfile.ZipFile, member: str) -> Header:
    """Return dtype and shape; the array itself, which may be large, is not read."""
    with archive.open(member) as file:
        is_first = np.lib.format.read_magic(file) == (1, 0)
        read = np.lib.format.read_array_header_1_0 if is_first else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    return str(dtype.newbyteorder("=")), shape


def _read_safetensors(path: Path, key: str | None) -> Read:
    safetensors = _library("safetensors", path)
    try:
        with safetensors.safe_open(path, framework="np") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (it is not a mapping)
            headers = {name: (s.get_dtype(), tuple(s.get_shape())) for name, s in slices.items()}
            key = _choose(path, key, headers, ("F64", "F32", "F16", "BF16"))
            dtype, _ = headers[key]
            if dtype == "BF16":
                return _read_bfloat16(path, key), None
            if dtype[0] == "F" and dtype not in ("F64", "F32", "F16"):
                raise ValueError(f"{path}: NumPy has no {dtype}, the dtype of {key!r}. Save it as float32.")
            return file.get_tensor(key), None
    except safetensors.SafetensorError as error:
        raise _damaged(path, error) from error


def _read_bfloat16(path: Path, key: str) -> np.ndarray:
    """Return a tensor as float32, whose upper half bfloat16 is: NumPy, and so safetensors, lacks the type."""
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        tensor = json.loads(file.read(header_bytes))[key]
        file.seek(8 + header_bytes + tensor["data_offsets"][0])
        halves = np.fromfile(file, dtype="<u2", count=prod(tensor["shape"]))
    return (halves.astype(np.uint32) << 16).view(np.float32).reshape(tensor["shape"])


def _read_parquet(path: Path, key: str | None) -> Read:
    pa, parquet = _library("pyarrow", path), _library("pyarrow.parquet", path)
    try:
        with parquet.ParquetFile(path) as file:
            schema, n = file.schema_arrow, file.metadata.num_rows
            index = (schema.pandas_metadata or {}).get("index_columns", [])
            vectors = {f.name: (str(f.type), (n, "d")) for f in schema if _is_vector(pa.types, f.type)}
            features = [f.name for f in schema if _is_real(pa.types, f.type) and f.name not in index]
            strings = [f.name for f in schema if str(f.type) in ("string", "large_string", "string_view")]
            words = strings if len(strings) == 1 else []
            if key or vectors or not features:
                name = _choose(path, key, vectors, [dtype for dtype, _ in vectors.values()])
                return _read_vectors(path, file, name, words)
            table = file.read(columns=[*features, *words])
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(path, error) from error
    data = np.column_stack([table[name].to_numpy() for name in features])
    return data, np.array(table[words[0]].to_pylist(), dtype=object) if words else None


def _is_real(types: ModuleType, kind: Any) -> bool:
    return types.is_integer(kind) or types.is_floating(kind)


def _is_vector(types: ModuleType, kind: Any) -> bool:
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return is_list and _is_real(types, kind.value_type)


def _read_vectors(path: Path, file: Any, name: str, words: Sequence[str]) -> Read:
    """Return a column of vectors as a matrix, filled while the file is read, and the words."""
    n, stop = file.metadata.num_rows, 0
    data, found = np.empty((n, 0)), np.empty(n, object)
    for batch in file.iter_batches(_BATCH_ROWS, columns=[name, *words]):
        start, stop = stop, stop + batch.num_rows
        if stop > n:
            break
        block = _stack(path, batch[name], start, data.shape[1] if start else None)
        if start == 0:
            data = np.empty((n, block.shape[1]), block.dtype)
        data = data.astype(np.result_type(data, block), copy=False)  # integers of which some are missing are floats
        data[start:stop] = block
        for word in words:
            found[start:stop] = batch[word].to_pylist()
    if stop != n:
        raise _damaged(path, f"it announces {n} rows and does not have as many")
    return data, found if words else None


def _stack(path: Path, column: Any, start: int, d: int | None) -> np.ndarray:
    """Return vectors from row `start` on as a matrix of d columns, by default as many as the first vector has."""
    sizes = _library("pyarrow.compute", path).list_value_length(column).fill_null(0).to_numpy()
    d = sizes[0] if d is None else d
    ragged = np.flatnonzero(sizes != d)
    if ragged.size:
        raise ValueError(
            f"{path}: expected vectors of one length, got {d} numbers in row 0 and {sizes[ragged[0]]} in row "
            f"{start + ragged[0]}. Drop the rows without a vector, and embed all rows with one model."
        )
    return column.flatten().to_numpy(zero_copy_only=False).reshape(sizes.size, d)


_READERS: dict[str, Callable[[Path, str | None], Read]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".parquet": _read_parquet,
    ".safetensors": _read_safetensors,
    ".txt": read_word_vectors,
    ".txt.gz": read_word_vectors,
    ".vec": read_word_vectors,
    ".vec.gz": read_word_vectors,
}
