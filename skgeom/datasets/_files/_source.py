"""A file for the readers: its plain bytes, compressed or not, and the messages for its errors."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, TypeAlias

from skgeom._validation import listed

Open: TypeAlias = Callable[[Path, str], Any]

_UNPACK: dict[str, Open] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_REASON_WIDTH = 200

MAX_LINE = 1 << 24
"""Bytes or characters of a line: any row that a model makes is shorter."""

PACKINGS = (*_UNPACK, ".zip")


class UnusableFileError(ValueError):
    """The requirement for a file, its actual content, and the remedy."""


class Source:
    """A file, packed or plain.

    Parameters
    ----------
    path : Path
        The file.
    key : str or None
        The caller's choice: of a zip archive of several files, the name of one.

    Attributes
    ----------
    suffix : str
        The suffix of the plain file, in small letters.
    key : str or None
        The caller's choice within the plain file.
    """

    def __init__(self, path: Path, key: str | None = None) -> None:
        self.path, self.key = path, key
        name = plain_name(path)
        self.packing = "" if name.name == path.name else path.suffix.lower()
        if self.packing == ".zip":
            self._member = self._chosen_member()
            name = Path(self._member) if Path(self._member).suffix else name
        self.suffix = name.suffix.lower()

    @property
    def is_plain(self) -> bool:
        """Whether the file is stored as it is."""
        return not self.packing

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the plain bytes, to be read from the first to the last."""
        if self.packing == ".zip":
            with zipfile.ZipFile(self.path) as archive, archive.open(self._member) as member:
                yield member  # type: ignore[misc]
        else:
            with _UNPACK.get(self.packing, open)(self.path, "rb") as file:
                yield file

    @contextmanager
    def on_disk(self) -> Iterator[Path]:
        """Yield the path of a plain file, for readers that need random access."""
        if self.is_plain:
            yield self.path
            return
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder, f"plain{self.suffix}")
            with self.open() as packed, plain.open("wb") as file:
                shutil.copyfileobj(packed, file)
            yield plain

    @contextmanager
    def lines(self, newline: str | None) -> Iterator[Iterator[str]]:
        """Yield the lines of UTF-8 text with their ends; a line that is too long raises before it fills the memory."""
        with self.open() as file, io.TextIOWrapper(file, "utf-8-sig", newline=newline) as text:

            def bounded() -> Iterator[str]:
                while line := text.readline(MAX_LINE):
                    if len(line) == MAX_LINE:
                        raise self.damaged(f"it has a line of more than {MAX_LINE:,} characters")
                    yield line

            try:
                yield bounded()
            except UnicodeDecodeError as error:
                raise self.refused("expected UTF-8 text, got other bytes. Save it as UTF-8, or as .npy.") from error

    def ends_with(self, end: bytes) -> bool:
        """Return whether a plain file ends with some bytes; a packed one that was cut off could not be unpacked."""
        if not self.is_plain:
            return True
        with self.path.open("rb") as file:
            file.seek(-len(end), 2)
            return file.read() == end

    def refused(self, why: str) -> UnusableFileError:
        """Return the error for a file that cannot be used as it is."""
        return UnusableFileError(f"{self.path}: {why}")

    def empty(self) -> UnusableFileError:
        """Return the error for a file without rows, which may be what an interrupted job left."""
        return self.refused("it is empty: expected rows and columns.")

    def damaged(self, reason: object) -> UnusableFileError:
        """Return the error for a file that does not follow its format."""
        return damaged(self.path, reason)

    def library(self, name: str) -> ModuleType:
        """Import the library that the format needs."""
        package = name.partition(".")[0]
        try:
            import_module(package)
            return import_module(name)
        except ImportError as error:
            remedy = 'pip install "scikit-embedding-geometry[io]"'
            raise ImportError(f"{self.path} cannot be read without {package}: {remedy}") from error

    def _chosen_member(self) -> str:
        """Return the name of the packed file: the key, which then asks for nothing else, or the only one."""
        with zipfile.ZipFile(self.path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
        if self.key in names:
            name, self.key = str(self.key), None
            return name
        if len(names) != 1:
            raise UnusableFileError(
                f"{self.path} holds {len(names)} files, expected one. Pass one of these as key: "
                f"{listed(names) or 'none'}."
            )
        return names[0]


def plain_name(path: Path) -> Path:
    """Return the name of a file without the suffix of its packing."""
    return Path(path.stem if path.suffix.lower() in PACKINGS else path.name)


def damaged(path: Path, reason: object) -> UnusableFileError:
    """Return the error for a file that does not follow its format."""
    said = " ".join(str(reason).split()) or type(reason).__name__
    said = said if len(said) <= _REASON_WIDTH else said[:_REASON_WIDTH] + "…"
    return UnusableFileError(
        f"{path} is damaged, incomplete or not of the format of its suffix: {said.removesuffix('.')}. "
        "Download it again, or save it again as plain numbers."
    )


def pickled(path: Path, what: str = "") -> UnusableFileError:
    """Return the error for Python objects, which run code as they are read."""
    what = f"{what} holds" if what else "it holds"
    return UnusableFileError(
        f"{path}: {what} pickled objects, which are never read because they can run any code. Load them yourself if "
        "you trust them, and save numbers: numpy.save(path, numpy.stack(vectors).astype('float32'))."
    )
