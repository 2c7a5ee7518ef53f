"""The suffixes of all formats, the files of a folder, and the handling of an exception in a reader."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from errno import EINVAL
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from skgeom._validation import listed
from skgeom.datasets._files._arrays import open_npz, open_safetensors, read_npy
from skgeom.datasets._files._binary import read_word2vec
from skgeom.datasets._files._choice import Named
from skgeom.datasets._files._delimited import open_csv
from skgeom.datasets._files._json import open_json
from skgeom.datasets._files._source import PACKINGS, Source, UnusableFileError, damaged, pickled, plain_name
from skgeom.datasets._files._tables import open_arrow, open_parquet
from skgeom.datasets._files._text import read_text

Read: TypeAlias = Callable[[Source, int | None], tuple[np.ndarray, np.ndarray | None]]
Open: TypeAlias = Callable[[Source], AbstractContextManager[Named]]

UNNAMED: dict[str, Read] = {".npy": read_npy, ".bin": read_word2vec, ".txt": read_text, ".vec": read_text}
"""Files of one array, by suffix: its first rows, and their words if it has any."""

NAMED: dict[str, Open] = {
    ".npz": open_npz,
    ".safetensors": open_safetensors,
    ".parquet": open_parquet,
    ".feather": open_arrow,
    ".arrow": open_arrow,
    ".csv": open_csv,
    ".tsv": open_csv,
    ".json": open_json,
    ".jsonl": open_json,
}
"""Files of several arrays or columns, by suffix."""

_PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib"}
_GENSIM = {".kv", ".model", ".wordvectors"}


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn any exception of a reader into an error that names the file.

    An unusable file becomes a plain ValueError; so do requests for too much memory, and any other exception of a parser
    on hostile bytes. A missing library and an error of the system pass unchanged.
    """
    try:
        yield
    except UnusableFileError as error:
        raise ValueError(str(error)) from error.__cause__
    except (ImportError, Warning):
        raise
    except MemoryError as error:
        said = f": {error}" if str(error) else ""
        raise ValueError(f"{path} needs more memory than is available{said}. Read fewer rows (limit=).") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in (None, EINVAL):  # no offset in a sound file is invalid
            error.filename = error.filename or str(path)
            raise
        raise ValueError(str(damaged(path, error))) from error


def unknown_suffix(source: Source) -> UnusableFileError:
    """Return the error for a file whose suffix does not determine its format."""
    if source.suffix in _PICKLES:
        return pickled(source.path)
    remedy = "Rename the file to match its format, or save the embeddings with numpy.save."
    if source.suffix in _GENSIM:
        remedy = (
            "Load it with gensim, and pass load_embeddings the KeyedVectors, or save them as text: "
            'vectors.save_word2vec_format("words.vec").'
        )
    known, packings = ", ".join((*UNNAMED, *NAMED)), ", ".join(PACKINGS)
    return source.refused(
        f"expected one of {known}, each plain or with {packings}, got the suffix {source.suffix!r}. {remedy}"
    )


def shards(path: Path) -> list[Path]:
    """Return the files of a folder, all of one format, in the order of their names and numbers; or the only file.

    Raises
    ------
    FileNotFoundError
        If the file or folder does not exist.
    ValueError
        If a folder does not contain files of embeddings, or has files of several formats.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        got = "nothing" if not path.exists() else "neither"
        raise FileNotFoundError(f"{path}: expected a file or a folder, got {got}. Check the name and the folder.")
    if (path / "dataset_dict.json").is_file():
        splits = sorted(folder.name for folder in path.iterdir() if folder.is_dir())
        raise ValueError(f"{path} has several splits: expected one. Name its folder: {listed(splits)}.")
    with reading(path):
        files = _saved_dataset(path) or sorted(filter(_is_embeddings, path.iterdir()), key=_natural)
    formats = sorted({plain_name(file).suffix.lower() for file in files})
    if len(formats) != 1:
        got = f"files of {listed(formats)}" if formats else "none"
        raise ValueError(f"{path}: expected a folder with embeddings in files of one format, got {got}. Name a file.")
    return files


def _saved_dataset(folder: Path) -> list[Path]:
    """Return the files of a Hugging Face dataset, which has files of other rows beside them."""
    if not (folder / "state.json").is_file() or not (folder / "dataset_info.json").is_file():
        return []
    state: Any = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    return [folder / Path(file["filename"]).name for file in state["_data_files"]]


def _is_embeddings(file: Path) -> bool:
    return (
        file.is_file()
        and not file.name.startswith((".", "_"))
        and plain_name(file).suffix.lower() in (*UNNAMED, *NAMED)
    )


def _natural(file: Path) -> list[Any]:
    """Return a key that sorts part-2 before part-10."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", file.name))]
