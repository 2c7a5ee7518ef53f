"""load_embeddings beside bare reads: numpy.loadtxt and pandas.read_csv of text, pyarrow.parquet.read_table of vectors.

Text has 10,000 lines of 300 numbers, and words of one part, or of two on one line in 1,000, one in 10, or all: what
such words cost is shown beside the file without them. Vectors are the rows of rt_polarity, as lists of any or of a
fixed length, in three precisions, in one row group or in eleven. Arrow has one thread, whatever the libraries have;
the memory that it keeps from the warm-up and uses again is not seen. Tables of text are beside pandas, whose CSV
reader takes two thirds of the time of Arrow's alone.
The error is the largest difference from the rows that were written.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks._harness import Case, Data
from skgeom.datasets import load_embeddings

LINES, NUMBERS = 10_000, 300
NEVER = 2 * LINES
LEAST = "≥ 0.83 (1 / 1.2)"


def cases(data: Data) -> list[Case]:
    pa.set_cpu_count(1)
    folder = Path(tempfile.gettempdir()) / "skgeom-benchmark-files"
    folder.mkdir(exist_ok=True)
    return [*_text(folder), *_vectors(folder, data), *_tables_of_text(folder)]


def _text(folder: Path) -> list[Case]:
    x = np.random.default_rng(0).standard_normal((LINES, NUMBERS)).round(5).astype(np.float32)
    plain = _written(folder / "plain.vec", partial(_write_text, x=x, every=NEVER))
    peers = {"numpy.loadtxt": _loadtxt, "pandas.read_csv": _read_csv}
    found = [_case("text, words of one part", plain, name, partial(peer, plain), x, "") for name, peer in peers.items()]
    for name, every in (("one in 1,000", 1000), ("one in 10", 10), ("all", 1)):
        path = _written(folder / f"every{every}.vec", partial(_write_text, x=x, every=every))
        found.append(_case(f"text, words of two parts: {name}", path, "none", partial(_read, plain), x, LEAST))
    return found


def _vectors(folder: Path, data: Data) -> list[Case]:
    x, (n, d) = data.x, data.x.shape
    offsets = np.arange(0, (n + 1) * d, d, dtype=np.int32)
    columns: dict[str, tuple[np.ndarray, bool, int]] = {
        "lists of float32": (x, False, n),
        "lists of float32, 1,000 rows a group": (x, False, 1000),
        "lists of float64": (x.astype(np.float64), False, n),
        "fixed-size lists of float32": (x, True, n),
        "fixed-size lists of float16": (x.astype(np.float16), True, n),
    }
    found = []
    for i, (name, (rows, is_fixed, group)) in enumerate(columns.items()):
        values = pa.array(rows.ravel())
        column = pa.FixedSizeListArray.from_arrays(values, d) if is_fixed else pa.ListArray.from_arrays(offsets, values)
        write = partial(pq.write_table, pa.table({"embedding": column}), row_group_size=group)
        path = _written(folder / f"{data.real}{i}.parquet", write)
        found.append(_case(f"parquet, {name}", path, "read_table", partial(pq.read_table, path), rows, LEAST))
    return found


def _tables_of_text(folder: Path) -> list[Case]:
    x = np.random.default_rng(0).standard_normal((LINES, NUMBERS)).round(5)
    frame = pd.DataFrame(x, columns=[f"dim_{i}" for i in range(NUMBERS)])
    wide = _written(folder / "wide.csv", partial(frame.to_csv, index=False))
    lines = _written(folder / "lists.jsonl", partial(_write_json, x=x))
    return [
        _case("CSV, a number in each column", wide, "pandas.read_csv", partial(_read_wide, wide), x, ""),
        _case("JSON lines, lists", lines, "pandas.read_json", partial(_read_json, lines), x, LEAST),
    ]


def _case(name: str, path: Path, peer_name: str, peer: Callable[[], Any], x: np.ndarray, target: str) -> Case:
    return Case(name, peer_name, (), partial(_read, path), peer, partial(_difference, x), speed_target=target)


def _read(path: Path) -> np.ndarray:
    return load_embeddings(path).data


def _loadtxt(path: Path) -> np.ndarray:
    return np.loadtxt(path, dtype=np.float32, comments=None, usecols=range(1, NUMBERS + 1))


def _read_csv(path: Path) -> np.ndarray:
    types = {0: str, **dict.fromkeys(range(1, NUMBERS + 1), np.float32)}
    return pd.read_csv(path, sep=" ", header=None, quoting=3, dtype=types).iloc[:, 1:].to_numpy()


def _read_wide(path: Path) -> np.ndarray:
    return pd.read_csv(path).to_numpy()


def _read_json(path: Path) -> np.ndarray:
    return np.stack(pd.read_json(path, lines=True)["vector"])


def _difference(x: np.ndarray, read: Any) -> float:
    rows = read if isinstance(read, np.ndarray) else read["embedding"].combine_chunks().flatten().to_numpy()
    return float(np.abs(rows.reshape(x.shape).astype(np.float64) - x).max())


def _written(path: Path, write: Callable[[Path], Any]) -> Path:
    """Write a file unless it is there, which the fresh processes of the harness then read."""
    if not path.exists():
        write(path)
    return path


def _write_json(path: Path, x: np.ndarray) -> None:
    with path.open("w") as file:
        file.writelines(json.dumps({"vector": row}) + "\n" for row in x.tolist())


def _write_text(path: Path, x: np.ndarray, every: int) -> None:
    with path.open("w") as file:
        for i, row in enumerate(x):
            word = f"new w{i}" if i % every == every - 1 else f"w{i}"
            file.write(f"{word} {' '.join(f'{value:.5f}' for value in row)}\n")
