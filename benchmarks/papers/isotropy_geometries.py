"""Isotropy against clusters on the sphere, in the Poincaré ball and on graphs.

Mickus, Grönroos & Attieh 2024, arXiv:2402.03191, claim that isotropy and clusters are incompatible, from experiments in
Euclidean space. Here the claim is put to curved spaces and graphs, with few and with many classes. Isotropy is IsoScore
in the tangent space at the Fréchet mean, or of the rows themselves where these lie all round the sphere ("whole
sphere"), whose mean is not determined. Silhouette, Dunn and the pseudo-F (CH) come from the distances of the space, and
so does Davies-Bouldin (DB, in its root mean square form, with the sign turned: more = better). Points of the ball are
trained in the chart Log at 0, under heads that know its distances. With --runs, each finished run is kept and not
computed again.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.sparse.csgraph import shortest_path
from scipy.spatial.distance import cdist
from scipy.stats import pearsonr, spearmanr
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.neighbors import kneighbors_graph
from torch import Tensor, nn

from benchmarks._harness import machine
from benchmarks.papers._figures import draw_conflict
from benchmarks.papers._inputs import found, missing, unit
from benchmarks.papers._markdown import Report
from benchmarks.papers._runs import Runs, add_runs_option
from skgeom.metrics import (
    calinski_harabasz_score,
    collapse_bound,
    davies_bouldin_score,
    dunn_index,
    isoscore,
    silhouette_score,
)
from skgeom.optim import EmbeddingOptimizer
from skgeom.preprocessing import TangentSpace, Whitening

MEASURES = ("silhouette", "DB", "CH", "Dunn")
UPDATES, EVERY, RATE = 300, 10, 2e-3
WEIGHTS = (0.0, 0.01, 0.1, 1.0, 10.0, 100.0)
POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
SYNTHETIC_D = 16


class Data(NamedTuple):
    """Rows of the chart of a space, their classes, and the learning rate for their length."""

    name: str
    x: np.ndarray
    y: np.ndarray
    rate: float = RATE

    @property
    def k(self) -> int:
        """Number of classes."""
        return np.unique(self.y).size


class Space(NamedTuple):
    """How rows of a chart become points, the distances of these, tangent vectors, and the dimension for d columns."""

    name: str
    points: Callable[[np.ndarray], np.ndarray]
    distances: Callable[[np.ndarray], np.ndarray]
    tangent: Callable[[np.ndarray], np.ndarray]
    back: Callable[[np.ndarray, np.ndarray], np.ndarray]
    flat: int = 0


# Spaces


def exp_zero(v: np.ndarray) -> np.ndarray:
    """Return the points of the ball that tangent vectors at 0 lead to."""
    length = np.linalg.norm(v, axis=1, keepdims=True)
    return v * np.tanh(length / 2) / np.maximum(length, 1e-300)


def angles(x: np.ndarray) -> np.ndarray:
    return 2 * np.arcsin(np.minimum(cdist(x, x) / 2, 1))


def ball_distances(x: np.ndarray) -> np.ndarray:
    inside = 1 - np.square(x).sum(axis=1)
    return 2 * np.arcsinh(cdist(x, x) / np.sqrt(np.outer(inside, inside)))


def tangent_of(geometry: Any) -> Callable[[np.ndarray], np.ndarray]:
    def tangent(x: np.ndarray) -> np.ndarray:
        return TangentSpace(geometry).fit_transform(x)

    return tangent


def back_to(geometry: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    def back(x: np.ndarray, tangent: np.ndarray) -> np.ndarray:
        return TangentSpace(geometry).fit(x).inverse_transform(tangent)

    return back


SPACES = {
    space.name: space
    for space in (
        Space("Euclid", lambda v: v, lambda x: cdist(x, x), lambda x: x, lambda x, z: z),
        Space("sphere", unit, angles, tangent_of("sphere"), back_to("sphere"), flat=1),
        Space("whole sphere", unit, angles, lambda x: x, lambda x, z: unit(z)),
        Space("ball", exp_zero, ball_distances, tangent_of("poincare"), back_to("poincare")),
    )
}


def measured(x: np.ndarray, y: np.ndarray, space: Space) -> dict[str, float]:
    """Return isotropy, and what distances say of the clusters."""
    return {"isoscore": isoscore(space.tangent(x)), **clustered(space.distances(x), y)}


def clustered(d: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return the measures of clusters of distances."""
    d = (d + d.T) / 2
    np.fill_diagonal(d, 0)
    return {
        "silhouette": silhouette_score(d, y, metric="precomputed"),
        "DB": -davies_bouldin_score(d, y, metric="precomputed"),
        "CH": calinski_harabasz_score(d, y, metric="precomputed"),
        "Dunn": dunn_index(d, y, metric="precomputed"),
    }


# Heads in the ball


def t_exp_zero(v: Tensor) -> Tensor:
    length = v.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return v * torch.tanh(length / 2) / length


def t_distances(x: Tensor, p: Tensor) -> Tensor:
    squares = (x[:, None, :] - p[None, :, :]).square().sum(dim=2)
    inside = (1 - x.square().sum(dim=1))[:, None] * (1 - p.square().sum(dim=1))[None, :]
    return 2 * torch.asinh((squares / inside).clamp_min(1e-24).sqrt())


class Hyperplanes(nn.Module):
    """Signed distances to hyperplanes of the ball, scaled: Ganea et al. 2018 in the form of Shimizu et al. 2021."""

    def __init__(self, d: int, k: int) -> None:
        super().__init__()
        self.z = nn.Parameter(torch.randn(k, d) * d**-0.5)
        self.r = nn.Parameter(torch.zeros(k))

    def forward(self, v: Tensor) -> Tensor:
        """Return the outputs of chart vectors."""
        x = t_exp_zero(v)
        factor = 2 / (1 - x.square().sum(dim=1, keepdim=True))
        length = self.z.norm(dim=1)
        along = x @ (self.z / length[:, None]).T
        return 2 * length * torch.asinh(factor * along * torch.cosh(2 * self.r) - (factor - 1) * torch.sinh(2 * self.r))


class Prototypes(nn.Module):
    """Minus the distances to points of the ball, which start at given chart vectors."""

    def __init__(self, start: np.ndarray) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.tensor(start))

    def forward(self, v: Tensor) -> Tensor:
        """Return the outputs of chart vectors."""
        return -t_distances(t_exp_zero(v), t_exp_zero(self.p))


def head_of(name: str, data: Data) -> Any:
    """Return a head of `EmbeddingOptimizer` by name."""
    means = np.stack([data.x[data.y == c].mean(axis=0) for c in np.unique(data.y)])
    heads = {"hyperplanes": Hyperplanes, "prototypes": lambda d, k: Prototypes(means)}
    return heads.get(name, name)


# Data


def real_data(folder: str | None, seed: int) -> list[Data]:
    """Return few classes in many dimensions, and many in few: polarity, questions, fine questions."""
    rng, found_data = np.random.default_rng(seed), []
    if (path := found(folder, "rt_polarity_minilm.npz")) is not None:
        with np.load(path) as stored:
            x, y = drawn(rng, stored["X_raw"], stored["y"], 2, 150)
        found_data += [Data("polarity", x, y), Data("polarity, 32 d", PCA(32).fit_transform(x), y)]
    if (path := found(folder, "trec_minilm.npz")) is not None:
        with np.load(path) as stored:
            found_data.append(Data("questions", *drawn(rng, stored["X_raw"], stored["y"], 6, 50)))
            x, y = drawn(rng, stored["X_raw"], stored["y_fine"], SYNTHETIC_D + 1, 20)
        found_data.append(Data("fine questions, 16 d", PCA(SYNTHETIC_D).fit_transform(x), y))
    return found_data


def drawn(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, k: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return unit rows of the k largest classes, the same number of each."""
    values, counts = np.unique(y, return_counts=True)
    kept = values[np.argsort(-counts, kind="stable")[:k]]
    rows = np.concatenate([rng.permutation(np.flatnonzero(y == c))[:size] for c in kept])
    return unit(x[rows]), np.unique(y[rows], return_inverse=True)[1]


def synthetic(k: int, isotropic: bool, seed: int) -> Data:
    """Return a Gaussian cloud without clusters, in 16 dimensions, and labels that mean nothing yet."""
    rng = np.random.default_rng(seed)
    scale = np.ones(SYNTHETIC_D) if isotropic else np.arange(1, SYNTHETIC_D + 1) ** -0.5
    x = rng.standard_normal((20 * max(k, 12), SYNTHETIC_D)) * scale
    return Data(
        "isotropic" if isotropic else "variances 1/j", x / np.sqrt((x**2).sum(axis=1).mean()), np.arange(len(x)) % k
    )


def mammals(folder: str | None, seed: int, runs: Runs) -> tuple[Data, np.ndarray] | None:
    """Return 300 nodes of the tree of mammals in a chart of the ball, and their distances in hops."""
    path = found(folder, "wordnet_mammals_tree.npz")
    if path is None:
        return None
    with np.load(path) as stored:
        y, direct = stored["y"], stored["direct"]
    graph = np.zeros((y.size, y.size), dtype=np.int8)
    graph[direct[:, 0], direct[:, 1]] = 1
    rows = np.sort(np.random.default_rng(seed).permutation(np.flatnonzero(y >= 0))[:300])
    hops = hop_distances(graph)[np.ix_(rows, rows)]
    labels = y[rows]
    big = np.isin(labels, np.flatnonzero(np.bincount(labels) >= 2))
    hops, labels = hops[np.ix_(big, big)], np.unique(labels[big], return_inverse=True)[1]
    chart = runs.result(f"mammals-chart-seed{seed}", lambda: {"x": hyperbolic_scaling(hops, 10)})["x"]
    return Data("mammals, 10 d", chart, labels, 10 * RATE), hops


def hyperbolic_scaling(hops: np.ndarray, d: int) -> np.ndarray:
    """Return chart vectors whose distances in the ball come close to given ones, from classical scaling on."""
    n = len(hops)
    start = classical_scaling(hops, d)
    wanted = torch.tensor(hops)[(upper := torch.triu_indices(n, n, 1)).unbind()]

    def stress(embedding: Tensor) -> Tensor:
        x = t_exp_zero(embedding)
        return ((t_distances(x, x)[upper.unbind()] - wanted) / wanted).square().mean()

    scaling = EmbeddingOptimizer(
        stress, parametrization="points", learning_rate=0.02, max_iter=600, monitor=None, random_state=0
    )
    return scaling.fit_transform(start)


def classical_scaling(distances: np.ndarray, d: int) -> np.ndarray:
    """Return d coordinates of rows that have given distances, as far as these are Euclidean."""
    squares = distances**2
    squares = squares - squares.mean(axis=0)
    values, vectors = np.linalg.eigh((squares.mean(axis=1)[:, None] - squares) / 2)
    x = vectors[:, -d:] * np.sqrt(np.maximum(values[-d:], 0))
    return np.pad(x, ((0, 0), (0, d - x.shape[1])))


# Experiments


def train(data: Data, space: Space, head: str, seed: int, weight: float = 0.0, every: int = EVERY) -> dict[str, Any]:
    """Return the curves of one run: cross-entropy, less a weight times IsoScore of the rows or the chart."""
    taken: list[dict[str, float]] = []

    def look(embedding: np.ndarray) -> float:
        taken.append(measured(space.points(embedding), data.y, space))
        return 0.0

    optimizer = EmbeddingOptimizer(
        {"cross_entropy": 1.0, "isoscore": -weight} if weight else "cross_entropy",
        parametrization="points",
        constraint="sphere" if "sphere" in space.name else None,
        head=head_of(head, data),
        learning_rate=data.rate,
        max_iter=UPDATES,
        monitor=look,
        monitor_every=every,
        random_state=seed,
    )
    optimizer.fit(data.x.astype(np.float64), data.y)
    return {"loss": optimizer.history_.loss, **{key: [one[key] for one in taken] for key in taken[0]}}


def run_of(runs: Runs, data: Data, space: str, head: str, seed: int, *, every: int = EVERY, weight: float = 0.0) -> Any:
    """Return one run, from the folder of runs if it is there."""
    name = f"geometry-{data.name}-k{data.k}-{space}-{head}-seed{seed}-every{every}-weight{weight:g}"
    return runs.result(slug(name), lambda: train(data, SPACES[space], head, seed, weight, every))


def slug(name: str) -> str:
    return name.replace(" ", "-").replace("/", "").replace(",", "")


def correlation(curves: list[Mapping[str, Any]], key: str) -> str:
    """Return the mean r and ρ over runs, of finite values: DB is not where two classes have one mean."""
    both = (np.array([run["isoscore"], run[key]]) for run in curves)
    pairs = [one[:, np.isfinite(one).all(axis=0)] for one in both]
    r, rho = (np.mean([float(f(*pair)[0]) for pair in pairs]) for f in (pearsonr, spearmanr))
    return f"{r:+.3f}/{rho:+.2f}"


def arrow(curves: list[Mapping[str, Any]], key: str) -> str:
    start, end = np.mean([[run[key][0], run[key][-1]] for run in curves], axis=0)
    return f"{start:.3f} → {end:.3f}"


def report_bound(report: Report) -> None:
    """Add the collapse bound on the three spaces."""
    report.add_heading("The collapse bound holds on each space")
    report.add(
        """1,000 random configurations of collapsed classes on each space, of random sizes, k and m from 2 to 20: the
        largest excess of IsoScore in the tangent space at the mean over (min(k - 1, m) - 1)/(m - 1). And regular
        simplices around a point, m = 10: IsoScore and silhouette for k = 2, 5, 11. On graphs, the classes are the
        nodes of a random connected graph, each with several rows; isotropy is that of the m coordinates of classical
        scaling by hops, or by the roots of resistances, and the simplex is the complete graph."""
    )
    rows = [
        bound_row(name, partial(excess_of, space=SPACES[name]), partial(simplex, space=SPACES[name])) for name in CURVED
    ]
    rows += [
        bound_row(f"graph, {name}", partial(graph_excess, metric=metric), partial(complete_graph, metric=metric))
        for name, metric in GRAPH_METRICS.items()
    ]
    bounds = (f"k = {k} (bound {collapse_bound(k, 10):.5f})" for k in SIMPLICES)
    report.add_table(("space", "largest excess", *bounds), rows)


CURVED = ("Euclid", "sphere", "ball")
SIMPLICES = (2, 5, 11)
CONFIGURATIONS = 1000


def bound_row(
    name: str,
    excess: Callable[[np.random.Generator], float],
    attained: Callable[[int, int], tuple[float, float]],
) -> tuple[str, ...]:
    """Return the largest excess over random configurations, and what simplices attain."""
    rng = np.random.default_rng(0)
    largest = max(excess(rng) for _ in range(CONFIGURATIONS))
    return name, f"{largest:.0e}", *("{:.5f}, {:.5f}".format(*attained(k, 10)) for k in SIMPLICES)


def excess_of(rng: np.random.Generator, space: Space) -> float:
    k, m = rng.integers(2, 21, size=2)
    centres = rng.standard_normal((k, m + space.flat)) * rng.uniform(0.2, 1.0) / np.sqrt(m)
    centres[:, 0] += 2.0 * space.flat  # a cloud on one side of the sphere has a mean
    points = space.points(np.repeat(centres, rng.integers(1, 30, size=k) + 1, axis=0))
    return isoscore(space.tangent(points)) - collapse_bound(int(k), int(m))


def simplex(k: int, m: int, space: Space) -> tuple[float, float]:
    """Return IsoScore and silhouette of classes at the corners of a regular simplex around a point."""
    corners = np.zeros((k, m))
    corners[:, : k - 1] = np.linalg.svd(np.eye(k) - 1 / k)[0][:, : k - 1] * 0.5
    base = np.zeros((2, m + space.flat))
    base[:, 0] = space.flat
    rows = np.repeat(corners, 10, axis=0)
    points = rows if space.name == "Euclid" else space.back(space.points(base) if space.flat else base, rows)
    found_all = measured(points, np.repeat(np.arange(k), 10), space)
    return found_all["isoscore"], found_all["silhouette"]


def hop_distances(graph: np.ndarray) -> np.ndarray:
    return shortest_path(graph, directed=False, unweighted=True)


def resistance_roots(graph: np.ndarray) -> np.ndarray:
    """Return the distances of the commute-time embedding, whose squares are the effective resistances."""
    values, vectors = spectrum(graph)
    return cdist(vectors * values**-0.5, vectors * values**-0.5)


GRAPH_METRICS = {"hops": hop_distances, "resistance": resistance_roots}


def graph_excess(rng: np.random.Generator, metric: Callable[[np.ndarray], np.ndarray]) -> float:
    """Return what IsoScore exceeds the bound by for rows that share the nodes of a random connected graph."""
    k, m = rng.integers(2, 21, size=2)
    graph = np.triu(rng.random((k, k)) < rng.uniform(), 1).astype(float)
    later = np.arange(1, k)
    graph[rng.integers(0, later), later] = 1  # a tree, so that the graph is connected
    nodes = np.repeat(np.arange(k), rng.integers(2, 8, size=k))
    d = metric(graph + graph.T)[np.ix_(nodes, nodes)]
    return isoscore(classical_scaling(d, int(m))) - collapse_bound(int(k), int(m))


def complete_graph(k: int, m: int, metric: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float]:
    """Return IsoScore and silhouette of classes at the nodes of a complete graph."""
    y = np.repeat(np.arange(k), 10)
    d = metric(1 - np.eye(k))[np.ix_(y, y)]
    return isoscore(classical_scaling(d, m)), silhouette_score(d, y, metric="precomputed")


PLAN = (("Euclid", "linear"), ("sphere", "linear"), ("ball", "hyperplanes"), ("ball", "prototypes"))
TREE_PLAN = [("ball", "hyperplanes"), ("ball", "prototypes"), ("ball", "linear")]


def spaces_of(data: Data) -> list[tuple[str, str]]:
    """Return the spaces and heads for data: those that are centred lie all round the sphere."""
    centred = np.linalg.norm(unit(data.x).mean(axis=0)) < 0.1
    plan = [("whole sphere" if space == "sphere" and centred else space, head) for space, head in PLAN]
    return [one for one in plan if one[0] == "ball" or data.name != "polarity, 32 d"]


def report_training(report: Report, runs: Runs, options: argparse.Namespace) -> None:
    """Add what cross-entropy alone does to both."""
    folder, seeds = options.data, options.seeds
    report.add_heading("Along training under cross-entropy")
    report.add(
        f"""Means over {seeds} seeds (rows and heads) of Pearson's r / Spearman's ρ of IsoScore with each measure of
        clusters along {UPDATES} updates of Adam ({RATE}, mammals ten times that), one record in {EVERY}; start → end.
        Fine questions (17 classes in 16 dimensions, TREC) stand for many classes in few dimensions. The tree of mammals
        (WordNet) lies in the ball by hyperbolic scaling of its hops."""
    )
    sets = zip(*(real_data(folder, seed) for seed in range(seeds)), strict=True)
    plan = [(data_of_seeds, spaces_of(data_of_seeds[0])) for data_of_seeds in sets]
    trees = [tree for seed in range(seeds) if (tree := mammals(folder, seed, runs)) is not None]
    if trees:
        plan.append((tuple(data for data, _ in trees), TREE_PLAN))
    rows, panels = [], {}
    for data_of_seeds, spaces in plan:
        panel = panels[f"{data_of_seeds[0].name}, k {data_of_seeds[0].k}"] = {}
        for space, head in spaces:
            curves = [run_of(runs, data, space, head, seed) for seed, data in enumerate(data_of_seeds)]
            rows.append(training_row(data_of_seeds[0], space, head, curves))
            panel[f"{space}, {head}"] = curves
    report.add_table(("data", "space, head", "bound", "IsoScore", "silhouette", *(f"{m} r/ρ" for m in MEASURES)), rows)
    for seed, tree in enumerate(trees):
        report.add(tree_note(seed, *tree))
    if options.figure and panels:
        report.add(draw_conflict(panels, options.figure, columns=3))


def training_row(data: Data, space: str, head: str, curves: list[Any]) -> tuple[str, ...]:
    """Return the row of one space and head."""
    return (
        f"{data.name}, k {data.k}",
        f"{space}, {head}",
        f"{collapse_bound(data.k, data.x.shape[1] - SPACES[space].flat):.3f}",
        arrow(curves, "isoscore"),
        arrow(curves, "silhouette"),
        *(correlation(curves, key) for key in MEASURES),
    )


def tree_note(seed: int, data: Data, hops: np.ndarray) -> str:
    d = ball_distances(exp_zero(data.x))
    upper = np.triu_indices(len(d), 1)
    distortion = np.mean(np.abs(d[upper] / hops[upper] - 1))
    by_hops = silhouette_score(hops, data.y, metric="precomputed")
    return f"""* mammals, seed {seed}: {len(d)} nodes, mean distortion {distortion:.3f}, Spearman with hops
    {spearmanr(d[upper], hops[upper])[0]:.3f}; silhouette by hops {by_hops:.3f}."""


def report_synthetic(report: Report, runs: Runs, seeds: int) -> None:
    """Add the factorial experiment."""
    report.add_heading("Number of classes by start, 16 dimensions, no clusters at the start")
    report.add("r / ρ of IsoScore with the silhouette along the same training, and the end of both.")
    rows = []
    for isotropic in (True, False):
        for space, head in spaces_of(synthetic(2, isotropic, 0))[:3]:
            cells = []
            for k in (2, 4, 8, 17, 32):
                curves = [run_of(runs, synthetic(k, isotropic, seed), space, head, seed) for seed in range(seeds)]
                ends = [np.mean([run[key][-1] for run in curves]) for key in ("isoscore", "silhouette")]
                cells.append(f"{correlation(curves, 'silhouette')} ({ends[0]:.2f}, {ends[1]:.2f})")
            rows.append(("isotropic" if isotropic else "variances 1/j", f"{space}, {head}", *cells))
    report.add_table(("start", "space", *(f"k {k}" for k in (2, 4, 8, 17, 32))), rows)


def report_weights(report: Report, runs: Runs, folder: str | None, seeds: int) -> None:
    """Add what asking for isotropy costs."""
    report.add_heading("Isotropy asked for: cross-entropy - w IsoScore")
    report.add(
        f"""Ends of runs with w = {", ".join(f"{w:g}" for w in WEIGHTS)}: IsoScore and silhouette of each, means over
        {seeds} seeds, and r / ρ over w. In the ball IsoScore of the chart is asked for, that of the tangent space at
        the mean is shown."""
    )
    rows = []
    for data_of_seeds in zip(*(real_data(folder, seed) for seed in range(seeds)), strict=True):
        if data_of_seeds[0].name == "polarity, 32 d":
            continue
        for space, head in spaces_of(data_of_seeds[0])[:3]:
            ends = [
                [run_of(runs, data, space, head, seed, every=UPDATES, weight=w) for w in WEIGHTS]
                for seed, data in enumerate(data_of_seeds)
            ]
            curves = [{key: [run[key][-1] for run in one] for key in ("isoscore", *MEASURES)} for one in ends]
            means = {key: np.mean([curve[key] for curve in curves], axis=0) for key in ("isoscore", "silhouette")}
            pairs = [f"{iso:.3f}, {s:.3f}" for iso, s in zip(means["isoscore"], means["silhouette"], strict=True)]
            name = f"{data_of_seeds[0].name}, k {data_of_seeds[0].k}"
            rows.append((name, f"{space}, {head}", *pairs, *(correlation(curves, key) for key in MEASURES)))
    report.add_table(("data", "space", *(f"w {w:g}" for w in WEIGHTS), *MEASURES), rows)


def report_whitening(report: Report, runs: Runs, folder: str | None, seeds: int) -> None:
    """Add what whitening in the tangent space does."""
    report.add_heading("Whitening in the tangent space, power 0 to 1")
    report.add("r / ρ of IsoScore with each measure over the powers, then IsoScore and silhouette at power 0 → 1.")
    rows = []
    sets = [real_data(folder, seed) for seed in range(seeds)]
    for seed in range(seeds):
        tree = mammals(folder, seed, runs)
        sets[seed] += [] if tree is None else [tree[0]]
    for data_of_seeds in zip(*sets, strict=True):
        if data_of_seeds[0].name == "polarity, 32 d":
            continue
        names = [name for name, _ in spaces_of(data_of_seeds[0])[:3]]
        for space in (SPACES[name] for name in (["ball"] if "mammals" in data_of_seeds[0].name else names)):
            curves = [
                runs.result(f"whitened-{slug(data.name)}-{slug(space.name)}-seed{seed}", partial(whitened, data, space))
                for seed, data in enumerate(data_of_seeds)
            ]
            ends = (arrow(curves, key) for key in ("isoscore", "silhouette"))
            name = f"{data_of_seeds[0].name}, k {data_of_seeds[0].k}"
            rows.append((name, space.name, *(correlation(curves, key) for key in MEASURES), *ends))
    report.add_table(("data", "space", *MEASURES, "IsoScore", "silhouette"), rows)


def whitened(data: Data, space: Space) -> dict[str, list[float]]:
    """Return the measures at each power, the mean square length of the tangent vectors kept."""
    points = space.points(data.x.astype(np.float64))
    tangent = space.tangent(points)
    taken = []
    for power in POWERS:
        with warnings.catch_warnings(action="ignore"):  # that 300 rows are few for 384 dimensions
            z = Whitening(method="zca", power=power).fit_transform(tangent)
        z *= np.sqrt(np.square(tangent - tangent.mean(axis=0)).sum() / np.square(z).sum())
        taken.append(measured(space.back(points, z), data.y, space))
    return {key: [one[key] for one in taken] for key in taken[0]}


def report_graphs(report: Report, runs: Runs, seeds: int) -> None:
    """Add planted partitions and a graph of neighbours."""
    report.add_heading("Graphs")
    report.add(
        f"""Planted partitions of 240 nodes (340 of 17 classes), p = .3 within and .3 → .006 between classes;
        IsoScore of the commute-time embedding in d dimensions; r / ρ with the silhouette of the embedding, of hops and
        of resistance; means over {seeds} seeds. Below, graphs as they are: the embedding U Λ^(-p/2) for p from 2 to 0,
        where p = 0, Laplacian eigenmaps, has IsoScore 1 by construction. Digits have their ten nearest neighbours.
        Edges of Zachary's karate club and of Les Misérables have no weights here; the classes of the latter are the
        communities of largest modularity with weights, found greedily."""
    )
    rows = []
    for k, d in ((2, 16), (4, 16), (4, 3), (17, 16)):
        curves = [runs.result(f"planted-k{k}-d{d}-seed{s}", partial(planted, k, d, s)) for s in range(seeds)]
        cells = (correlation(curves, key) for key in ("silhouette", "hops", "resistance"))
        rows.append(
            (
                f"k {k}, d {d}",
                f"{collapse_bound(k, d):.3f}",
                *cells,
                arrow(curves, "isoscore"),
                arrow(curves, "silhouette"),
            )
        )
    report.add_table(("partition", "bound", "embedding", "hops", "resistance", "IsoScore", "silhouette"), rows)
    known = known_graphs()
    rows = [power_row("digits", *neighbours_of_digits(), d) for d in (9, 32)]
    rows += [power_row(*one, d) for one in known for d in (4, 8)]
    report.add_table(("power 2 → 0", "bound", *MEASURES, "IsoScore", "silhouette"), rows)
    if not known:
        report.add("The karate club and Les Misérables are left out: networkx is not installed.")


def neighbours_of_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the graph of the ten nearest neighbours of 900 digits, and their classes."""
    x, y = load_digits(return_X_y=True)
    graph = kneighbors_graph(x[:900], 10).toarray()
    return np.maximum(graph, graph.T), y[:900]


def known_graphs() -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return two graphs of networkx and their classes, or nothing where it is not installed."""
    if importlib.util.find_spec("networkx") is None:
        return []
    import networkx

    karate, novel = networkx.karate_club_graph(), networkx.les_miserables_graph()
    clubs = np.array([club == "Officer" for _, club in karate.nodes(data="club")]).astype(int)
    communities = networkx.community.greedy_modularity_communities(novel, weight="weight")
    of_node = {node: c for c, members in enumerate(communities) for node in members}
    return [
        ("karate club", networkx.to_numpy_array(karate, weight=None), clubs),
        (
            "Les Misérables",
            networkx.to_numpy_array(novel, weight=None),
            np.array([of_node[node] for node in novel]),
        ),
    ]


def power_row(name: str, graph: np.ndarray, y: np.ndarray, d: int) -> tuple[str, ...]:
    """Return what powers of the spectrum do to isotropy and clusters of a graph in d dimensions."""
    values, vectors = spectrum(graph)
    curve = [powered(values, vectors, d, p, y) for p in (2.0, 1.5, 1.0, 0.5, 0.0)]
    found_all = {key: [one[key] for one in curve] for key in curve[0]}
    k = np.unique(y).size
    return (
        f"{name}, k {k}, d {d}",
        f"{collapse_bound(k, d):.3f}",
        *(correlation([found_all], key) for key in MEASURES),
        arrow([found_all], "isoscore"),
        arrow([found_all], "silhouette"),
    )


def spectrum(graph: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenvalues and eigenvectors of the Laplacian but for the constant one."""
    values, vectors = np.linalg.eigh(np.diag(graph.sum(axis=0)) - graph)
    return values[1:], vectors[:, 1:]


def powered(values: np.ndarray, vectors: np.ndarray, d: int, power: float, y: np.ndarray) -> dict[str, float]:
    x = vectors[:, :d] * values[:d] ** (-power / 2)
    return {"isoscore": isoscore(x), **clustered(cdist(x, x), y)}


def planted(k: int, d: int, seed: int) -> dict[str, list[float]]:
    """Return isotropy and silhouettes for partitions that become clearer."""
    rng = np.random.default_rng(seed)
    y = np.arange(340 if k == SYNTHETIC_D + 1 else 240) % k
    draws = np.triu(rng.random((y.size, y.size)), 1)
    draws += draws.T + np.eye(y.size)
    taken = []
    for p in np.geomspace(0.3, 0.006, 12):
        graph = (draws < np.where(y[:, None] == y, 0.3, p)).astype(float)
        values, vectors = spectrum(graph)
        whole = vectors * values**-0.5
        x = whole[:, :d]
        hops = hop_distances(graph)
        taken.append(
            {
                "isoscore": isoscore(x),
                "silhouette": silhouette_score(x, y),
                "hops": silhouette_score(hops, y, metric="precomputed"),
                "resistance": silhouette_score(np.square(cdist(whole, whole)), y, metric="precomputed"),
            }
        )
    return {key: [one[key] for one in taken] for key in taken[0]}


def main(argv: list[str] | None = None) -> None:
    options = parser().parse_args(argv)
    report, runs = Report(), Runs(options.runs)
    report.add_heading("Isotropy and clusters in curved spaces and on graphs")
    report.add(*(__doc__ or "").split("\n\n")[1:])
    report.add(*machine())
    if found(options.data, "trec_minilm.npz") is None:
        report.add(missing(options.data, "trec_minilm.npz"))
    report_bound(report)
    report_graphs(report, runs, options.seeds)
    report_whitening(report, runs, options.data, options.seeds)
    report_training(report, runs, options)
    report_synthetic(report, runs, options.seeds)
    report_weights(report, runs, options.data, options.weight_seeds)
    report.write(options.out)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.papers.isotropy_geometries", description=(__doc__ or "").partition("\n")[0]
    )
    p.add_argument("--data", default=os.environ.get("SKGEOM_DATA"), help="folder of the embeddings and the tree")
    p.add_argument("--seeds", type=int, default=3, help="number of draws of rows, and of starts of the head")
    p.add_argument("--weight-seeds", type=int, default=3, help="the same for the long sweep of weights of IsoScore")
    p.add_argument("--out", metavar="FILE", help="write the tables to this file, too")
    p.add_argument("--figure", metavar="FILE", help="draw the curves of training, .png; needs matplotlib")
    add_runs_option(p)
    return p


if __name__ == "__main__":
    main()
