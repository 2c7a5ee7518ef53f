"""Time, memory and accuracy of two functions side by side, and the table that reports them.

Time: both sides run in one process on the same arrays and threads, taking turns (A B A B ...), so that a change of the
machine's load meets both. A sample lasts at least 50 ms. Reported are the median of each side and the median of the
ratios of neighbouring samples. The clock is the CPU time of the process where there is one thread (equal to the wall
clock on an idle machine, and blind to other processes on a busy one) or busy processes beside, else the wall clock.
glibc is told to keep and reuse freed arrays of up to 32 MiB, which it learns to do by itself sooner or later: otherwise
the time of whoever copies the data depends by a quarter on the order of earlier allocations.

Memory: each side runs once in a fresh process, which has loaded the data, made a call on a sixteenth of the rows (so
that imports and the buffers of the libraries exist) and given free memory back. Reported is the growth of the resident
memory from there to its peak (VmHWM, reset through /proc/self/clear_refs), the result included. It sees every
allocator, Torch's too; on systems without /proc the column is empty.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import math
import os
import platform
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from threadpoolctl import threadpool_info, threadpool_limits

NAMES = (
    "isoscore",
    "moments",
    "busy",
    "whitening",
    "silhouette",
    "conformity",
    "partition",
    "energies",
    "sigreg",
    "close_pairs",
    "neighbours",
    "alignment",
    "search",
    "samples",
    "files",
    "growth",
    "tangent_space",
    "thresholds",
    "coverage",
    "standard_errors",
    "clouds",
    "relations",
    "guide",
)
NAMED = ("scale", "gpu", "launches")
"""Benchmarks of much disk and time, or of a GPU or its stand-in, which run where they are named."""
LIBRARIES = (
    *("scikit-embedding-geometry", "numpy", "scipy", "scikit-learn", "torch", "IsoScore", "faiss-cpu", "geoopt"),
    *("dask", "dask-ml"),
)
SAMPLE_SECONDS = 0.05
CASE_SECONDS = 60.0
WARM_UP_STRIDE = 16
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # parameters of mallopt(3)

Inputs: TypeAlias = tuple[np.ndarray, ...]


class Data(NamedTuple):
    """Sentence embeddings x (10662, 384) in float32 with two classes y, whether real, and the folder of more data."""

    x: np.ndarray
    y: np.ndarray
    real: bool
    folder: str | None

    @property
    def name(self) -> str:
        """What the table calls them."""
        return "rt_polarity" if self.real else "synthetic, the shape of rt_polarity"


@dataclass(frozen=True)
class Case:
    """One comparison: two functions of the same inputs, and what is hoped for.

    `error` maps a result and the inputs to the distance from the truth in float64. The targets are words for the table.
    """

    name: str
    peer_name: str
    inputs: Inputs
    ours: Callable[..., Any]
    peer: Callable[..., Any]
    error: Callable[..., float] | None = None
    speed_target: str = ""
    memory_target: str = ""
    error_target: str = ""
    timed: bool = True


class Timing(NamedTuple):
    """Median seconds of both sides, and the median of peer / ours over neighbouring samples."""

    ours: float
    peer: float
    ratio: float


class Result(NamedTuple):
    """What was measured of a case; bytes and errors of ours and the peer."""

    case: Case
    timing: Timing | None
    memory: tuple[float, float] | None
    errors: tuple[float, float] | None


class Settings(NamedTuple):
    """Folder of the real data or None, threads, samples of each side, and how many busy processes run beside."""

    data: str | None
    threads: int
    repeats: int
    beside: int = 0

    @property
    def clock(self) -> Callable[[], float]:
        """CPU time where it is fair: with one thread, and where others compete for the cores."""
        return time.process_time if self.threads == 1 or self.beside else time.perf_counter


def load(folder: str | None) -> Data:
    """Return rt_polarity from a folder, or synthetic data of its shape."""
    path = Path(folder or "") / "rt_polarity_minilm.npz"
    if folder and path.exists():
        with np.load(path) as stored:
            return Data(stored["X_raw"], stored["y"], real=True, folder=folder)
    y = np.repeat([0, 1], 5331)
    x = rotated_cloud(10_662, np.arange(1, 385) ** -0.4) + 0.2
    x[:, 0] += 0.5 * y
    return Data(x.astype(np.float32), y, real=False, folder=folder)


def rotated_cloud(n: int, deviations: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return a Gaussian cloud with given standard deviations along random orthogonal axes."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((deviations.size, deviations.size)))[0]
    return rng.standard_normal((n, deviations.size)) * deviations @ axes


def cases_of(name: str, settings: Settings) -> list[Case]:
    """Return the comparisons of one benchmark."""
    return importlib.import_module(f"benchmarks.{name}").cases(load(settings.data))


def table(name: str, settings: Settings) -> Iterator[str]:
    """Measure one benchmark and yield the lines of its table, which may be one of its own making."""
    module = importlib.import_module(f"benchmarks.{name}")
    settings = settings._replace(**getattr(module, "SETTINGS", {}))
    keep_freed_memory()
    if hasattr(module, "table"):
        yield from module.table(settings)
        return
    yield HEADER
    for result in run(name, settings):
        yield row(result)


def keep_freed_memory() -> None:
    """Tell glibc to keep and reuse freed arrays."""
    with contextlib.suppress(AttributeError, TypeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 1 << 25)
        libc.mallopt(M_TRIM_THRESHOLD, 1 << 30)


def run(name: str, settings: Settings) -> Iterator[Result]:
    """Measure the comparisons of one benchmark one by one."""
    for index, case in enumerate(cases_of(name, settings)):
        with limited(settings.threads), busy(settings.beside):
            timing = interleaved(case, settings) if case.timed else None
            errors = None
            if case.error is not None:
                ours, peer = (case.error(side(*case.inputs), *case.inputs) for side in (case.ours, case.peer))
                errors = (ours, peer)
        memory = (extra(name, index, "ours", settings), extra(name, index, "peer", settings)) if case.timed else None
        yield Result(case, timing, memory, errors)


@contextlib.contextmanager
def limited(threads: int) -> Iterator[None]:
    """Give all libraries the same number of threads; Torch keeps a count of its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with threadpool_limits(threads):
            yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def busy(n: int) -> Iterator[None]:
    """Keep some processes busy with products of matrices, of one thread each."""
    others = [get_context("spawn").Process(target=_multiply, daemon=True) for _ in range(n)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.join()


def _multiply() -> None:
    x = np.ones((500, 500))
    with threadpool_limits(1):
        while True:
            x @ x


def interleaved(case: Case, settings: Settings) -> Timing:
    """Time both sides in turn; slow cases get fewer samples, at least three."""
    clock = settings.clock
    sides = (case.ours, case.peer)
    first = [seconds(side, case.inputs, 1, clock) for side in sides]  # and a warm-up
    calls = [max(1, math.ceil(SAMPLE_SECONDS / max(t, 1e-6))) for t in first]
    spent = sum(t * c for t, c in zip(first, calls, strict=True))
    repeats = min(settings.repeats, max(3, int(CASE_SECONDS / spent)))
    samples = [[seconds(s, case.inputs, c, clock) for s, c in zip(sides, calls, strict=True)] for _ in range(repeats)]
    return Timing(*(median(column) for column in zip(*((a, b, b / a) for a, b in samples), strict=True)))


def seconds(function: Callable[..., Any], inputs: Inputs, calls: int, clock: Callable[[], float]) -> float:
    """Return the mean time of some calls."""
    start = clock()
    for _ in range(calls):
        function(*inputs)
    return (clock() - start) / calls


def extra(name: str, index: int, side: str, settings: Settings) -> float:
    """Return the bytes that one side of a case needs beyond its inputs, measured in a fresh process."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(growth, name, index, side, settings).result()


def growth(name: str, index: int, side: str, settings: Settings) -> float:
    """Return by how much the peak of the resident memory of this process exceeds its memory before the call."""
    case = cases_of(name, settings)[index]
    function = getattr(case, side)
    with limited(settings.threads), contextlib.suppress(OSError):
        function(*(np.ascontiguousarray(a[::WARM_UP_STRIDE]) for a in case.inputs))
        with contextlib.suppress(AttributeError, TypeError):
            ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        before = resident("VmRSS")
        result = function(*case.inputs)
        return resident("VmHWM") - before if result is not None else math.nan
    return math.nan


def resident(key: str) -> float:
    """Return a size in bytes from the status of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


HEADER = (
    "| case | against | ours, ms | peer, ms | times as fast | target | ours, MiB | peer, MiB | target "
    "| our error | peer's error | target |\n|" + "---|" * 12
)


def row(r: Result) -> str:
    """Return one line of the table."""
    case, t = r.case, r.timing
    times = map(digits, (t.ours * 1e3, t.peer * 1e3, t.ratio)) if t else ("", "", "")
    memory = [f"{m / 2**20:.1f}" if math.isfinite(m) else "" for m in r.memory or (math.nan, math.nan)]
    errors = [f"{e:.0e}" for e in r.errors or ()] or ["", ""]
    cells = (case.name, case.peer_name, *times, case.speed_target, *memory, case.memory_target, *errors)
    return f"| {' | '.join(cells)} | {case.error_target} |"


def digits(value: float) -> str:
    """Return a number with three digits, or all of those before the point."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def surroundings(settings: Settings) -> str:
    """Return the machine, libraries and settings in words."""
    clock = "CPU time of the process" if settings.clock is time.process_time else "wall-clock time"
    beside = f", {settings.beside} busy processes beside" if settings.beside else ""
    measured = (
        f"* threads: {settings.threads}, in all libraries{beside}; {clock}, medians of up to {settings.repeats} pairs"
    )
    return "\n".join([*machine(), measured])


def machine() -> list[str]:
    """Return the machine and the libraries in words, each an item of a list."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    blas = (i for i in threadpool_info() if i["user_api"] == "blas")
    blas_names = sorted({f"{i['internal_api']} {i['version']} ({i.get('architecture', '?')} kernels)" for i in blas})
    versions = ", ".join(f"{library} {_version(library)}" for library in LIBRARIES)
    return [
        f"* {cpu}, {os.cpu_count()} cores; {platform.system()}; Python {platform.python_version()}",
        f"* {versions}",
        f"* NumPy and SciPy on {', '.join(blas_names)}; Torch with its own BLAS",
    ]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "(not installed)"
