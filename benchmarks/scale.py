"""Rows beyond memory: 10,000,000 x 256 float32 in a file of 10 GB, each call in a process of its own.

Times are medians of three rounds of all calls. Memory is the largest anonymous memory of the process, imports
included, without the pages of the mapped file, which the system takes back as it likes. The bare product is that of
each block of 4,096 rows with itself in float32, added up in float64; the bare scatter has the sums of the columns too,
without which it is not about the mean. The products of two sides are in float64 throughout. Peers get a prefix:
IncrementalPCA of scikit-learn, and of dask-ml the same and the randomized PCA, in chunks of 65,536 rows (optional: pip
install dask-ml). Needs 13 GB of free disk in the folder of temporary files; not part of ``all``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from sklearn.decomposition import IncrementalPCA

from benchmarks._harness import Settings, digits, limited, resident
from skgeom.alignment import LstsqAligner, ProcrustesAligner
from skgeom.datasets import iter_embeddings
from skgeom.metrics import average_cosine, conformity, isoscore, silhouette_score
from skgeom.preprocessing import Whitening
from skgeom.summary import cloud_summary

ROWS, D, KEPT = 10_000_000, 256, 64
BLOCK = 4096
CLASSES = 20
ROUNDS = 3
PREFIX = 1_000_000
CHUNK = 65_536
BOUND = 2**30


class Call(NamedTuple):
    """A name, a function of the mapped rows (n, d) and of a file to write, and how many of the rows it gets."""

    name: str
    run: Callable[[np.ndarray, Path], object]
    rows: int = ROWS


def table(settings: Settings) -> Iterator[str]:
    """Write the rows, measure each call, and yield the lines of the table."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        written = time.perf_counter()
        write_rows(path)
        yield f"Written in {time.perf_counter() - written:.0f} s; {settings.threads} thread(s)."
        yield ""
        yield "| call | rows | CPU, s | wall clock, s | anonymous memory, MiB | target |\n|" + "---|" * 6
        rounds = [{name: in_fresh_process(name, path, settings.threads) for name in CALLS} for _ in range(ROUNDS)]
        for name, call in CALLS.items():
            cpu, wall, peak = zip(*(one[name] for one in rounds), strict=True)
            numbers = f"{digits(median(cpu))} | {digits(median(wall))} | {max(peak) / 2**20:.0f} | < {BOUND >> 20}"
            yield f"| {name} | {call.rows:,} | {numbers} |"


def write_rows(path: Path) -> None:
    """Write rows of a falling spectrum, off the origin."""
    rng = np.random.default_rng(0)
    spread = (np.arange(1, D + 1) ** -0.4).astype(np.float32)
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(ROWS, D))
    for start in range(0, ROWS, 2**16):
        stop = min(start + 2**16, ROWS)
        rows[start:stop] = rng.standard_normal((stop - start, D), dtype=np.float32) * spread + np.float32(0.1)
    rows.flush()


def in_fresh_process(name: str, path: Path, threads: int) -> tuple[float, float, float]:
    """Return what `measured` does of a call in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(measured, name, path, threads).result()


def measured(name: str, path: Path, threads: int) -> tuple[float, float, float]:
    """Return CPU and wall-clock seconds of a call, and the peak of the anonymous memory."""
    call = CALLS[name]
    rows = np.load(path, mmap_mode="r")[: call.rows]
    peaks, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            peaks.append(resident("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with limited(threads):
            wall, cpu = time.perf_counter(), time.process_time()
            call.run(rows, path.with_name("transformed.npy"))
            return time.process_time() - cpu, time.perf_counter() - wall, max(peaks)
    finally:
        over.set()
        watcher.join()


def bare_product(rows: np.ndarray, _: Path) -> np.ndarray:
    """Return the product of the rows with themselves, block by block."""
    total = np.zeros((D, D))
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        total += block.T @ block
    return total


def bare_scatter(rows: np.ndarray, _: Path) -> np.ndarray:
    """Return the product of the centred rows with themselves, from products and sums of the rows, block by block."""
    total, sums = np.zeros((D, D)), np.zeros(D)
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        total += block.T @ block
        sums += block.sum(axis=0)
    return total - np.outer(sums, sums) / len(rows)


def bare_products(rows: np.ndarray, _: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the products, in float64, of the rows with themselves and with their columns in reverse."""
    within, between = np.zeros((D, D)), np.zeros((D, D))
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK].astype(np.float64)
        within += block.T @ block
        between += block.T @ block[:, ::-1]
    return within, between


def classes(rows: np.ndarray) -> np.ndarray:
    """Return a class for each row."""
    return np.arange(len(rows)) % CLASSES


def to_file(rows: np.ndarray, path: Path) -> None:
    """Whiten the rows into a file, by a map of the first ones."""
    Whitening(KEPT).fit(rows[:PREFIX]).transform_into(rows, path)


def in_chunks(rows: np.ndarray) -> Any:
    """Return the rows as an array of Dask, of which one chunk is read at a time; `from_array` would copy them all."""
    import_module("dask").config.set(scheduler="single-threaded")
    da = import_module("dask.array")

    def read(block_info: Any) -> np.ndarray:
        start, stop = block_info[None]["array-location"][0]
        return rows[start:stop]

    chunks = da.core.normalize_chunks((CHUNK, -1), rows.shape)
    return da.map_blocks(read, chunks=chunks, dtype=rows.dtype, meta=np.empty((0, 0), rows.dtype), name="rows")


def dask_ml(kind: str, rows: np.ndarray, **options: Any) -> object:
    """Fit a PCA of dask-ml to the rows."""
    return getattr(import_module("dask_ml.decomposition"), kind)(KEPT, whiten=True, **options).fit(in_chunks(rows))


IN_DASK = (
    Call("Whitening(64).fit of a prefix in Dask", lambda x, _: Whitening(KEPT).fit(in_chunks(x)), PREFIX),
    Call(
        "IncrementalPCA(64).fit of dask-ml, of a prefix",
        lambda x, _: dask_ml("IncrementalPCA", x, batch_size=BLOCK),
        PREFIX,
    ),
    Call(
        "PCA(64).fit of dask-ml, randomized, of a prefix",
        lambda x, _: dask_ml("PCA", x, svd_solver="randomized"),
        PREFIX,
    ),
)

CALLS = {
    call.name: call
    for call in (
        Call("bare blocked product", bare_product),
        Call("bare blocked scatter", bare_scatter),
        Call("isoscore", lambda x, _: isoscore(x)),
        Call("average_cosine", lambda x, _: average_cosine(x)),
        Call("conformity", lambda x, _: conformity(x)),
        Call(
            "silhouette, squared distances, 20 classes",
            lambda x, _: silhouette_score(x, classes(x), metric="sqeuclidean"),
        ),
        Call("cloud_summary", lambda x, _: cloud_summary(x)),
        Call("Whitening(64).fit", lambda x, _: Whitening(KEPT).fit(x)),
        Call("Whitening(64).fit of blocks", lambda x, _: Whitening(KEPT).fit(iter_embeddings(x))),
        Call("Whitening(64), 1,000,000 rows fitted, all written to a file", to_file),
        Call("ProcrustesAligner.fit", lambda x, _: ProcrustesAligner().fit(x, x[:, ::-1])),
        Call("bare blocked products of two sides, float64", bare_products),
        Call("LstsqAligner.fit", lambda x, _: LstsqAligner().fit(x, x[:, ::-1])),
        Call("Whitening(64).fit of a prefix", lambda x, _: Whitening(KEPT).fit(x), PREFIX),
        Call(
            "IncrementalPCA(64).fit of a prefix",
            lambda x, _: IncrementalPCA(KEPT, whiten=True, batch_size=BLOCK).fit(x),
            PREFIX,
        ),
        *(IN_DASK if find_spec("dask_ml") else ()),
    )
}
