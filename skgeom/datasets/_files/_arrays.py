"""Files of arrays: .npy, .npz and .safetensors. Headers are read first, and of the arrays only the requested ones."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from skgeom.datasets._files._choice import FLOATS, INTEGERS, OTHER, TEXT, Entry, Wanted
from skgeom.datasets._files._source import Source, pickled

_MAX_HEADER = 1 << 14
_CHUNK_BYTES = 1 << 20
_MAX_CODE_POINT = 0x10FFFF
_KINDS = {"f": FLOATS, "i": INTEGERS, "u": INTEGERS, "U": TEXT, "S": TEXT}


class _Header(NamedTuple):
    """The first bytes of the .npy format, and their number."""

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype
    size: int

    @property
    def n_bytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


def read_npy(source: Source, limit: int | None) -> tuple[np.ndarray, None]:
    """Return the array of a .npy file, without words: memory-mapped, or read where the file is packed."""
    with source.open() as file:
        header = _header(source, file)
        if header.dtype.hasobject:
            raise pickled(source.path)
        if not source.is_plain:
            return _filled(source, file, header, limit), None
    there = source.path.stat().st_size - header.size
    if there < header.n_bytes:
        raise source.damaged(f"its header announces {header.n_bytes:,} bytes, and {there:,} follow")
    order = "F" if header.is_fortran else "C"
    if not header.n_bytes:
        return np.empty(header.shape, header.dtype), None
    mapped = np.memmap(source.path, header.dtype, "r", header.size, header.shape, order)  # type: ignore[call-overload]
    return mapped[:limit] if header.shape else mapped, None


def decoded(source: Source, values: np.ndarray) -> np.ndarray:
    """Return an array of bytes as text, any other as it is."""
    if values.dtype.kind != "S":
        return values
    try:
        return np.char.decode(values, "utf-8")
    except UnicodeDecodeError as error:
        raise source.refused("expected UTF-8 text, got other bytes. Save it as an array of str.") from error


def _header(source: Source, file: BinaryIO) -> _Header:
    """Read a header and leave the file where its array begins."""
    start = file.read(12)
    head = io.BytesIO(start + file.read(min(_header_bytes(start), _MAX_HEADER)))
    version = np.lib.format.read_magic(head)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise source.damaged(f"version {version} of the format is unknown")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read(head)
    if any(type(size) is not int or size < 0 for size in shape):
        raise source.damaged(f"its header has the shape {shape}")
    return _Header(shape, is_fortran, dtype, head.tell())


def _header_bytes(start: bytes) -> int:
    """Return how many bytes of the header follow its first twelve, whose length stands in them."""
    if start[6:7] == b"\1":
        return max(int.from_bytes(start[8:10], "little") - 2, 0)
    return int.from_bytes(start[8:12], "little")


def _filled(source: Source, file: BinaryIO, header: _Header, limit: int | None) -> np.ndarray:
    """Read an array, or the first rows of it, into memory that is taken once."""
    shape, is_fortran = header.shape, header.is_fortran and len(header.shape) > 1
    if limit is not None and shape and not is_fortran:
        shape = (min(limit, shape[0]), *shape[1:])
    array = np.empty(shape[::-1] if is_fortran else shape, header.dtype)
    view, filled = memoryview(array.reshape(-1).view(np.uint8)), 0  # type: ignore[arg-type]
    while filled < array.nbytes:
        read = file.readinto(view[filled : filled + _CHUNK_BYTES])  # type: ignore[attr-defined]
        if not read:
            raise source.damaged(f"its header announces {header.n_bytes:,} bytes, and {filled:,} follow")
        filled += read
    while shape == header.shape and file.read(_CHUNK_BYTES):
        pass  # at the end, an archive compares its checksum
    if array.dtype.kind == "U" and (array.view(array.dtype.str[0] + "u4") > _MAX_CODE_POINT).any():
        raise source.damaged("its text has code points that Unicode does not have")
    return array.T[:limit] if is_fortran else array


class Npz:
    """The arrays of a .npz archive."""

    is_table, has_names = False, True

    def __init__(self, source: Source, archive: zipfile.ZipFile) -> None:
        self.source, self._archive = source, archive
        self._headers: dict[str, _Header] = {}
        for member in archive.namelist():
            if member.endswith(".npy"):
                with archive.open(member) as file:
                    self._headers[member.removesuffix(".npy")] = _header(source, file)  # type: ignore[arg-type]
        self.entries = [
            Entry(name, str(h.dtype.newbyteorder("=")), h.shape, _KINDS.get(h.dtype.kind, OTHER))
            for name, h in self._headers.items()
        ]

    def read(self, wanted: Sequence[Wanted], limit: int | None) -> list[np.ndarray]:
        """Return arrays of the first rows."""
        return [self._read(names[0], limit) for names, _ in wanted]

    def vectors_as_text(self) -> list[str]:
        """Return no columns."""
        return []

    def _read(self, name: str, limit: int | None) -> np.ndarray:
        member = f"{name}.npy"
        if self._headers[name].dtype.hasobject:
            raise pickled(self.source.path, repr(name))
        with self._archive.open(member) as file:
            header = _header(self.source, file)  # type: ignore[arg-type]
            there = self._archive.getinfo(member).file_size - header.size
            if there < header.n_bytes:
                raise self.source.damaged(f"{name!r} announces {header.n_bytes:,} bytes, and {there:,} follow")
            return decoded(self.source, _filled(self.source, file, header, limit))  # type: ignore[arg-type]


@contextmanager
def open_npz(source: Source) -> Iterator[Npz]:
    """Open a .npz archive."""
    with source.on_disk() as path:
        if not zipfile.is_zipfile(path):
            raise source.damaged("it is not a complete zip archive")
        with zipfile.ZipFile(path) as archive:
            yield Npz(source, archive)


class Safetensors:
    """The tensors of a .safetensors file."""

    is_table, has_names = False, True

    def __init__(self, source: Source, path: Path, file: Any) -> None:
        self.source, self._path, self._file = source, path, file
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (it is not a mapping)
        self.entries = [_tensor(name, s.get_dtype(), tuple(s.get_shape())) for name, s in slices.items()]

    def read(self, wanted: Sequence[Wanted], limit: int | None) -> list[np.ndarray]:
        """Return tensors of the first rows."""
        return [self._read(names[0], limit) for names, _ in wanted]

    def vectors_as_text(self) -> list[str]:
        """Return no columns."""
        return []

    def _read(self, name: str, limit: int | None) -> np.ndarray:
        dtype, shape = next((entry.dtype, entry.shape) for entry in self.entries if entry.name == name)
        if dtype == "BF16":
            return _read_bfloat16(self._path, name, limit)
        if dtype[0] == "F" and dtype not in ("F64", "F32", "F16"):
            raise self.source.refused(f"NumPy has no {dtype}, the dtype of {name!r}. Save it as float32.")
        if limit is None or not shape or shape[0] <= limit:
            return self._file.get_tensor(name)
        return self._file.get_slice(name)[:limit]


def _tensor(name: str, dtype: str, shape: tuple[int, ...]) -> Entry:
    is_float = dtype in ("F64", "F32", "F16", "BF16")
    return Entry(name, dtype, shape, FLOATS if is_float else INTEGERS if dtype[0] in "IU" else OTHER)


@contextmanager
def open_safetensors(source: Source) -> Iterator[Safetensors]:
    """Open a .safetensors file."""
    safetensors = source.library("safetensors")
    with source.on_disk() as path, safetensors.safe_open(path, framework="np") as file:
        yield Safetensors(source, path, file)


def _read_bfloat16(path: Path, key: str, limit: int | None) -> np.ndarray:
    """Return a tensor as float32, whose upper half bfloat16 is: NumPy, and so safetensors, lacks the type."""
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        tensor = json.loads(file.read(header_bytes))[key]
        file.seek(8 + header_bytes + tensor["data_offsets"][0])
        n, *rest = tensor["shape"]
        shape = (n if limit is None else min(n, limit), *rest)
        halves = np.fromfile(file, dtype="<u2", count=prod(shape))
    bits = halves.astype(np.uint32)
    bits <<= 16
    return bits.view(np.float32).reshape(shape)
