"""Measures, whitening and a training run on a GPU, beside Torch written by hand and cuML.

Times are wall-clock times up to the end of what the GPU was given, medians of calls in turn after one of each that is
not counted. Rows are float32 tensors on the GPU but for "rows from the host", which are sent by ``device=`` (to CuPy if
it is installed). Memory is the peak that Torch allocated on the GPU beyond the rows. The error is the distance from the
value of the same rows in float64 on the CPU, relative where the value is above 1. cuML is measured where it is
installed. Not part of ``all``.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import packages_distributions, version
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks._harness import Settings, digits, limited, load, rotated_cloud
from skgeom.metrics import isoscore, silhouette_score
from skgeom.optim import EmbeddingOptimizer
from skgeom.preprocessing import Whitening

PEER_ROWS = 4096
"""Rows whose distances to all others the silhouette by hand has at once."""


class Sizes(NamedTuple):
    """Rows and columns of the larger silhouette and of what is built on sums, classes, and updates of the run."""

    pairs: tuple[int, int] = (40_000, 512)
    sums: tuple[int, int] = (100_000, 768)
    classes: int = 10
    updates: int = 1000


@dataclass(frozen=True)
class Case:
    """A call of a tensor on the GPU, its peers by name, its target in words, and the numbers that its error is of."""

    name: str
    x: np.ndarray
    ours: Callable[[Any], Any]
    peers: dict[str, Callable[[Any], Any]]
    target: str
    number: Callable[[Any], np.ndarray] = field(default=lambda value: np.asarray(float(value)))


def table(settings: Settings) -> Iterator[str]:
    """Yield the lines of the table, or the one that says that there is no GPU."""
    if not torch.cuda.is_available():
        yield "Torch sees no GPU here: nothing was measured."
        return
    yield from lines("cuda", settings, Sizes())


def lines(device: str, settings: Settings, sizes: Sizes) -> Iterator[str]:
    """Yield the table of a device: the CPU may stand in for one to see that everything runs."""
    yield hardware(device)
    yield ""
    yield "| call | rows | who | ms | times as long as ours | target | memory, MiB | error |\n|" + "---|" * 8
    with limited(settings.threads):
        for case in cases(device, settings, sizes):
            yield from measured(case, device, settings)
        yield run_of_polarity(device, settings, sizes)


def hardware(device: str) -> str:
    """Return the GPU and the libraries that drive it in words."""
    known = packages_distributions()
    drivers = [f"{d} {version(d)}" for name in ("torch", "cupy", "cuml") for d in sorted(set(known.get(name, ())))]
    if device == "cpu":
        return f"No GPU: the CPU in its place; {', '.join(drivers)}"
    properties = torch.cuda.get_device_properties(device)
    memory = f"{properties.total_memory / 2**30:.0f} GiB"
    return f"{properties.name}, {memory}; CUDA {torch.version.cuda}; {', '.join(drivers)}"


def cases(device: str, settings: Settings, sizes: Sizes) -> Iterator[Case]:
    """Yield the comparisons, one by one: their rows need not be in memory at once."""
    polarity = load(settings.data)
    yield silhouettes(polarity.x, polarity.y, "10 ms")
    n, d = sizes.pairs
    y = np.arange(n) % sizes.classes
    x = rotated_cloud(n, np.arange(1, d + 1) ** -0.4) + 0.3 * np.eye(sizes.classes, d)[y]
    yield silhouettes(x.astype(np.float32), y, "120 ms, 256 MiB")
    n, d = sizes.sums
    x = (rotated_cloud(n, np.arange(1, d + 1) ** -0.4) + 0.1).astype(np.float32)
    product: dict[str, Callable[[Any], Any]] = {"bare product": lambda x: x.T @ x}
    from_host = {**product, "rows from the host": lambda _: isoscore(x, device=device)}
    yield Case("IsoScore", x, isoscore, from_host, "1.5 times the product")
    by_hand = {**product, "Torch by hand": whitening_by_hand, **of_cuml("PCA", n_components=d, whiten=True)}
    yield Case("Whitening.fit", x, Whitening().fit, by_hand, "1.5 times the product", lambda fit: host(fit.spectrum_))


def silhouettes(x: np.ndarray, y: np.ndarray, target: str) -> Case:
    """Return the comparison of Euclidean silhouettes."""
    codes = np.unique(y, return_inverse=True)[1]

    def of_cuml_silhouette(x: Any) -> Any:
        return importlib.import_module("cuml.metrics.cluster").silhouette_score(x, codes)

    peers = {"Torch by hand": lambda x: silhouette_by_hand(x, torch.as_tensor(codes, device=x.device))}
    more = {"cuML": of_cuml_silhouette} if is_installed("cuml") else {}
    return Case("silhouette", x, lambda x: silhouette_score(x, y), {**peers, **more}, target)


def silhouette_by_hand(x: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Return the mean silhouette from blocks of all distances, as `torch.cdist` has them."""
    members = torch.nn.functional.one_hot(codes).to(x.dtype)
    sizes, total = members.sum(0), torch.zeros((), dtype=torch.float64, device=x.device)
    for start in range(0, x.shape[0], PEER_ROWS):
        rows = slice(start, start + PEER_ROWS)
        sums, own = torch.cdist(x[rows], x) @ members, codes[rows, None]
        within = (sums.gather(1, own) / (sizes[own] - 1))[:, 0]
        beyond = (sums / sizes).scatter(1, own, torch.inf).amin(1)
        total += ((beyond - within) / torch.maximum(beyond, within)).sum(dtype=torch.float64)
    return total / x.shape[0]


def whitening_by_hand(x: torch.Tensor) -> torch.Tensor:
    """Return the map that whitens rows, from their covariance in float32."""
    centred = x - x.mean(0)
    values, vectors = torch.linalg.eigh(centred.T @ centred / (x.shape[0] - 1))
    return vectors / values.sqrt()


def of_cuml(name: str, **parameters: Any) -> dict[str, Callable[[Any], Any]]:
    """Return the fit of an estimator of cuML by its name in the table, or None if cuML is not installed."""
    if not is_installed("cuml"):
        return {}
    return {f"cuML {name}": lambda x: getattr(importlib.import_module("cuml"), name)(**parameters).fit(x)}


def is_installed(name: str) -> bool:
    """Return whether a package can be imported here, without importing it."""
    return importlib.util.find_spec(name) is not None


def measured(case: Case, device: str, settings: Settings) -> Iterator[str]:
    """Yield the lines of a comparison: ours, then those of the peers."""
    x = torch.as_tensor(case.x, device=device)
    sides = {"skgeom": case.ours, **case.peers}
    for call in sides.values():
        finished(call, x, device)
    samples = [{who: finished(call, x, device)[0] for who, call in sides.items()} for _ in range(settings.repeats)]
    expected = case.number(case.ours(case.x.astype(np.float64)))
    rows = f"{case.x.shape[0]:,} x {case.x.shape[1]}"
    for who, call in sides.items():
        times = [sample[who] for sample in samples]
        ratio = "" if who == "skgeom" else digits(median(s[who] / s["skgeom"] for s in samples))
        error, target = "", ""
        if who == "skgeom":
            found, target = case.number(call(x)), case.target
            error = f"{np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected))):.0e}"
        peak = memory(call, x, device)
        numbers = f"{digits(median(times) * 1e3)} | {ratio} | {target} | {peak} | {error}"
        yield f"| {case.name} | {rows} | {who} | {numbers} |"


def finished(call: Callable[[Any], Any], x: Any, device: str) -> tuple[float, Any]:
    """Return the seconds until all that a call gave the device to do was done, and its result."""
    wait(device)
    start = time.perf_counter()
    result = call(x)
    wait(device)
    return time.perf_counter() - start, result


def wait(device: str) -> None:
    """Wait for the device."""
    if device != "cpu":
        torch.cuda.synchronize(device)


def memory(call: Callable[[Any], Any], x: Any, device: str) -> str:
    """Return the peak of what Torch allocated on the device in a call, in MiB, as a cell of the table."""
    if device == "cpu":
        return ""
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    call(x)
    wait(device)
    return f"{(torch.cuda.max_memory_allocated(device) - before) / 2**20:.0f}"


def run_of_polarity(device: str, settings: Settings, sizes: Sizes) -> str:
    """Return the line of a training run of all rows, with IsoScore and silhouette after each update."""
    data = load(settings.data)
    run = EmbeddingOptimizer(parametrization="points", max_iter=sizes.updates, random_state=0, device=device)
    seconds, fit = finished(lambda x: run.fit(x, data.y), data.x, device)
    moved, name = host(fit.embedding_), f"run of {sizes.updates:,} updates, both monitors"
    expected = {"isoscore": isoscore(moved), "silhouette": silhouette_score(moved, data.y)}
    error = max(abs(fit.history_[monitor][-1] - value) for monitor, value in expected.items())
    rows = f"{data.x.shape[0]:,} x {data.x.shape[1]}"
    return f"| {name} | {rows} | skgeom | {digits(seconds * 1e3)} | | 20,000 ms | | {error:.0e} |"


def host(values: Any) -> np.ndarray:
    """Return values on the CPU, in float64."""
    return (values.cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)).astype(np.float64)
