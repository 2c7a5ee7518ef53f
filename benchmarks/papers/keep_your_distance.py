"""Points spread by the regularisers of "Keep your distance", and the optimum they aim at.

The source is Tokarchuk et al. 2025, arXiv:2502.08231, with its code ltl-uva/ledoh-torch: the problem of Tammes, 24
points on the sphere of three dimensions, and a cloud of 20,000 points in 64 dimensions that learns in minibatches from
two starts. Figures are minimum angles in degrees and spherical variances; 1 of the latter is best. Figures of the
source for the two experiments could not be had: the optimum stands beside, and what its code takes for it.

The default sizes take minutes; --full takes those of the source, and hours. With --runs, each finished run is kept and
not computed again.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from benchmarks._harness import machine
from benchmarks.papers._markdown import Report
from benchmarks.papers._runs import Runs, add_runs_option
from skgeom.metrics import kernel_energy, min_angle, riesz_energy, spherical_variance
from skgeom.metrics._measure import MEASURES
from skgeom.optim import RiemannianAdam, SphereDispersion, spherical_code, tammes_bound
from skgeom.optim._descent import Batches

Objective: TypeAlias = str | Callable[[Tensor], Tensor]

FULL = {
    "tammes_updates": 10_000,
    "points": 20_000,
    "batch": 512,
    "updates": 5_000,
    "seeds": [42, 52, 62],
    "baseline_points": [1_000, 10_000],
}
"""The sizes of the source, where the default is smaller."""

TAMMES_RATE, CLOUD_RATE = 0.005, 1e-3
CONCENTRATION = 100.0
MARKERS = "os^Dv<>P"  # of the figure, for four descents from two starts: it needs no colour
BASELINE_DIMENSIONS = (64, 512, 4096)

TARGETS = {  # N, d: degrees that the code of the source draws as the optimum
    (13, 3): 57.1367031,
    (14, 3): 55.6705700,
    (24, 3): 48.53529763,
    (128, 3): 18.63,
    (288, 16): 75.5224878,
}
TRANSLATION = (
    ("Romanian to English, sliced", "32.3", ".795", ".435", ".99"),
    ("English to German, sliced", "33.5", ".821", ".222", ".999"),
)


def main(argv: list[str] | None = None) -> None:
    options = parser().parse_args(argv)
    if options.full:
        vars(options).update(FULL)
    report, runs = Report(), Runs(options.runs)
    report.add_heading("Keep your distance")
    report.add(*(__doc__ or "").split("\n\n")[1:])
    report.add(*machine())
    chosen = {name: REGULARISERS[name] for name in options.regularisers}
    if not options.clouds_only:
        report_targets(report)
        report_tammes(report, runs, {**chosen, **AS_CODED}, options)
        report_contact(report)
    for d in options.dimensions:
        report_cloud(report, runs, chosen, d, options)
    if not options.clouds_only:
        report_baseline(report, options.baseline_points)
        report_translation(report)
        report_slips(report)
    report.write(options.out)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.papers.keep_your_distance",
        description='Points spread by the regularisers of "Keep your distance".',
    )
    p.add_argument("--full", action="store_true", help="the sizes of the source: hours")
    p.add_argument("--regularisers", nargs="+", choices=list(REGULARISERS), default=list(REGULARISERS), metavar="NAME")
    p.add_argument("--tammes", type=int, nargs=2, default=[24, 3], metavar=("N", "D"), help="points and dimensions")
    p.add_argument("--tammes-updates", type=int, default=2_000, help="updates for the problem of Tammes")
    p.add_argument("--points", type=int, default=1_000, help="number of points of the cloud")
    p.add_argument("--dimensions", type=int, nargs="+", default=[64], metavar="D", help="their dimensions, one by one")
    p.add_argument("--starts", nargs="+", choices=list(STARTS), default=list(STARTS), metavar="NAME")
    p.add_argument("--descents", nargs="+", choices=list(DESCENTS), default=list(DESCENTS)[:3], metavar="NAME")
    p.add_argument("--batch", type=int, default=256, help="number of points in an update of the cloud")
    p.add_argument("--updates", type=int, default=1_000, help="updates of the cloud")
    p.add_argument("--clouds-only", action="store_true", help="leave out all other tables")
    p.add_argument("--seeds", type=int, nargs="+", default=[42], help="seeds of starts and batches")
    p.add_argument("--baseline-points", type=int, nargs="+", default=[1_000], help="sizes of clouds left as drawn")
    p.add_argument("--out", metavar="FILE", help="write the tables to this file, too")
    p.add_argument("--figure", metavar="FILE", help="draw the smallest angles of the cloud, .png; needs matplotlib")
    add_runs_option(p)
    return p


# Regularisers


def gaussian_as_coded(x: Tensor) -> Tensor:
    """Return the mean of exp cos, the Gaussian kernel with γ = 1/2 up to a factor."""
    return torch.exp(products(x)).mean()


def laplace_as_coded(x: Tensor) -> Tensor:
    """Return the mean Laplace kernel with 2 - cos where the squared chord is 2 - 2 cos."""
    return torch.exp(-torch.sqrt(2 - products(x))).mean()


def riesz_as_coded(x: Tensor) -> Tensor:
    """Return the mean Riesz energy, s = 1, with 2 - cos where the squared chord is 2 - 2 cos."""
    return torch.rsqrt(2 - products(x)).mean()


def products(x: Tensor) -> Tensor:
    """Return the products of all pairs of rows, the cosines of unit rows, whose gradient also points off the sphere."""
    first, second = torch.triu_indices(x.shape[0], x.shape[0], 1)
    return (x @ x.T)[first, second]


REGULARISERS: dict[str, Objective] = {
    "MMA": "mma",
    "MMCS": "mmcs",
    "KoLeo": "koleo",
    "Gaussian": "kernel_energy",
    "Gaussian-12.5": partial(kernel_energy, gamma=12.5),
    "Gaussian-geodesic": "geodesic_gaussian_energy",
    "Laplace": "laplace_energy",
    "Laplace-geodesic": "geodesic_laplace_energy",
    "Riesz": "riesz_energy",
    "Riesz-log": partial(riesz_energy, s=0.0),
    "Riesz-2": partial(riesz_energy, s=2.0),
    "MHE": "mhe",
    "MMD": "mmd_uniform",
    "Lloyd": "lloyd",
    "sliced": "sliced_dispersion",
    "axis-sliced": "axis_sliced_dispersion",
    "SSW": "spherical_sliced_wasserstein",
}
"""Names in the tables: kernels with γ = 1 and energies with s = 1 but where a number says otherwise."""

AS_CODED: dict[str, Objective] = {
    "Gaussian, as coded": gaussian_as_coded,
    "Laplace, as coded": laplace_as_coded,
    "Riesz, as coded": riesz_as_coded,
}


DESCENTS = {
    "Riem.": ("riemannian", False),
    "Riem. fast": ("riemannian", True),
    "Adam": ("adam", False),
    "SphereDispersion": ("decayed", True),
}
"""How the cloud moves: the optimiser, and whether its rate is points / batch times as large."""


def value(objective: Objective, x: Tensor, generator: torch.Generator) -> Tensor:
    """Return the value of an objective, whether it is random or not."""
    if not isinstance(objective, str):
        return objective(x)
    loss = MEASURES[objective]
    return loss(x, random_state=generator) if loss.is_random else loss(x)


# Descent


class Descent(NamedTuple):
    """How points move: an optimiser, its learning rate, the number of updates and that of points in each."""

    optimizer: str
    learning_rate: float
    updates: int
    batch: int | None = None


def spread(start: np.ndarray, objective: Objective, descent: Descent, seed: int) -> np.ndarray:
    """Return where points come to.

    "adam" works entry by entry and projects back to the sphere after each update; "decayed" is SphereDispersion, whose
    learning rate falls to 0.
    """
    if descent.optimizer == "decayed":
        spreader = SphereDispersion(
            objective,
            learning_rate=descent.learning_rate,
            max_iter=descent.updates,
            batch_size=descent.batch,
            polish=False,
            random_state=seed,
        )
        return np.asarray(spreader.fit_transform(start))
    x = torch.tensor(start).requires_grad_()
    riemannian = descent.optimizer == "riemannian"
    optimizer = (RiemannianAdam if riemannian else torch.optim.Adam)([x], lr=descent.learning_rate)
    generator = torch.Generator().manual_seed(seed)
    batches = Batches(len(start), descent.batch, generator, x.device)
    for _ in range(descent.updates):
        index = next(batches)
        optimizer.zero_grad()
        value(objective, x if index is None else x.index_select(0, index), generator).backward()
        optimizer.step()
        if not riemannian:
            with torch.no_grad():
                x /= x.norm(dim=1, keepdim=True)
    return x.detach().numpy()


def measured(start: np.ndarray, objective: Objective, descent: Descent, seed: int) -> dict[str, float]:
    """Return the minimum angle in degrees, the spherical variance, seconds for an update, and the memory so far."""
    began = perf_counter()
    points = spread(start, objective, descent, seed)
    seconds = (perf_counter() - began) / descent.updates
    return {**described(points), "seconds": seconds, "memory": peak_memory()}


def described(points: np.ndarray) -> dict[str, float]:
    """Return the minimum angle in degrees and the spherical variance."""
    return {"angle": float(np.degrees(min_angle(points))), "variance": spherical_variance(points)}


def uniform(n: int, d: int, seed: int) -> np.ndarray:
    """Return points drawn uniformly from the sphere."""
    x = np.random.default_rng(seed).standard_normal((n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def power_spherical(n: int, d: int, seed: int, concentration: float = CONCENTRATION) -> np.ndarray:
    """Return points of a density proportional to (1 + x₁)^κ (De Cao & Aziz 2020), around the first axis."""
    rng = np.random.default_rng(seed)
    t = 2 * rng.beta((d - 1) / 2 + concentration, (d - 1) / 2, size=n) - 1
    return np.column_stack([t, np.sqrt(1 - t**2)[:, None] * uniform(n, d - 1, rng.integers(2**31))])


STARTS = {"uniform": uniform, "power spherical": power_spherical}


# Optima


def report_targets(report: Report) -> None:
    """Add what the code of the source takes for optima, beside bounds and what is found."""
    report.add_heading("Optima, and the targets of the reference code")
    rows = []
    for (n, d), target in TARGETS.items():
        bound = np.degrees(tammes_bound(n, d))
        best = f"{np.degrees(spherical_code(n, d, random_state=0).min_angle):.5f}" if n < 100 else ""
        verdict = "impossible" if target > bound + 1e-4 else "possible"
        rows.append((f"{n}, {d}", f"{target:.5f}", f"{bound:.5f}", best, verdict))
    report.add_table(("N, d", "target as coded", "bound", "found by spherical_code", "the target is"), rows)
    report.add(
        """24 points have an optimum of 43.69077 degrees, the snub cube (Robinson 1961). The 48.535 that the reference
        code draws as the target exceeds even the bound of Fejes Tóth, 44.7150: no regulariser could reach it."""
    )


# Tammes


def report_tammes(report: Report, runs: Runs, chosen: Mapping[str, Objective], options: argparse.Namespace) -> None:
    """Add the smallest angles that the regularisers come to with few points."""
    n, d = options.tammes
    report.add_heading(f"Tammes: {n} points in {d} dimensions")
    descents = {
        name: Descent(optimizer, TAMMES_RATE, options.tammes_updates)
        for name, optimizer in (("Riemannian Adam", "riemannian"), ("Adam and projection", "adam"))
    }
    cells = {
        (name, kind): [
            runs.result(run_name("tammes", n, d, name, descent, seed), partial(tammes_run, n, d, loss, descent, seed))
            for seed in options.seeds
        ]
        for name, loss in chosen.items()
        for kind, descent in descents.items()
    }
    decayed = {name: decayed_run(runs, n, d, name, chosen[name], options) for name in chosen}
    report.add(tammes_legend(options, np.degrees(tammes_bound(n, d))))
    rows = [
        (
            name,
            *(best(cells[name, kind], "angle", 3) for kind in descents),
            *(best(decayed[name], key, 3) for key in ("angle", "polished")),
            *(mean(cells[name, kind], "variance") for kind in descents),
        )
        for name in chosen
    ]
    header = ("minimum angle", *descents, "rate to 0", "polished", "variance, Riem.", "variance, Adam")
    report.add_table(header, rows)
    report.add(PROJECTION_NOTE)
    report.add(TAMMES_ADVICE)


TAMMES_ADVICE = """
What to do: for the minimum angle of few points take `SphereDispersion` or `spherical_code`: the polish comes to the
best angle whatever the loss was. In a loop of your own, let the rate fall, take MMA or KoLeo, and an optimiser of the
sphere; never a kernel of products of rows with an optimiser that works entry by entry."""

PROJECTION_NOTE = """
The losses of skgeom do not depend on the lengths of rows, so that their gradients are tangent to the sphere, and Adam
with a projection does mostly well; under MMCS, whose repulsion fades towards contact, points can meet. Of products of
rows that are taken to be unit, the gradient points mostly off the sphere: entry by entry, Adam scales the rest away
with it, and points meet. RiemannianAdam takes the tangent part of either."""


def tammes_legend(options: argparse.Namespace, bound: float) -> str:
    """Return what the columns are."""
    return f"""The best of {len(options.seeds)} start(s), uniform, in degrees (bound: {bound:.5f}), and the mean
    spherical variance. {options.tammes_updates:,} updates (source: 10,000) at the learning rate {TAMMES_RATE} of the
    source. Adam and projection works entry by entry. "Rate to 0" is SphereDispersion, .02 falling along half a cosine;
    "polished" goes on from there and makes the minimum angle itself as large as can be. "As coded" are the kernels of
    the reference code, exp cos, and 2 - cos in place of the squared chord 2 - 2 cos, here of the products of rows as
    they are, not divided by their lengths."""


def tammes_run(n: int, d: int, objective: Objective, descent: Descent, seed: int) -> dict[str, float]:
    return measured(uniform(n, d, seed), objective, descent, seed)


def decayed_run(
    runs: Runs, n: int, d: int, name: str, objective: Objective, options: argparse.Namespace
) -> list[Mapping[str, Any]]:
    """Return what SphereDispersion comes to from each start, before and after its polish."""

    def run(seed: int) -> dict[str, float]:
        found = {}
        for key, polish in (("angle", False), ("polished", True)):
            estimator = SphereDispersion(objective, max_iter=options.tammes_updates, polish=polish, random_state=seed)
            found[key] = float(np.degrees(estimator.fit(uniform(n, d, seed)).min_angle_))
        return found

    descent = Descent("decayed", 0.02, options.tammes_updates)
    return [runs.result(run_name("tammes", n, d, name, descent, seed), partial(run, seed)) for seed in options.seeds]


def run_name(kind: str, n: int, d: int, name: str, descent: Descent, seed: int) -> str:
    """Return a name that says all that a run depends on."""
    plain = name.replace(", ", "-").replace(" ", "-")
    batch = "" if descent.batch is None else f"-batch{descent.batch}"
    how = f"{descent.optimizer}-{descent.learning_rate:g}-updates{descent.updates}{batch}"
    return f"{kind}-{n}x{d}-{plain}-{how}-seed{seed}".replace(".", "_")


def best(found: list[Mapping[str, Any]], key: str, digits: int) -> str:
    return f"{max(float(run[key]) for run in found):.{digits}f}"


def mean(found: list[Mapping[str, Any]], key: str) -> str:
    """Return the mean over runs, and their standard deviation where there are several."""
    values = [float(run[key]) for run in found]
    return f"{np.mean(values):.4f}" + (f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else "")


# Contact


def report_contact(report: Report) -> None:
    """Add how strongly two points in contact repel each other under the kernels, right and as coded."""
    report.add_heading("Repulsion at contact")
    report.add("Length of the gradient at each of two points 1e-3 radians apart.")
    kernels = {
        "Laplace": (partial(kernel_energy, kernel="laplace"), laplace_as_coded),
        "Riesz, s = 1": (riesz_energy, riesz_as_coded),
    }
    rows = [(name, *(f"{repulsion(f):.2e}" for f in functions)) for name, functions in kernels.items()]
    report.add_table(("kernel", "2 - 2 cos", "2 - cos, as coded"), rows)


def repulsion(loss: Callable[[Tensor], Tensor], angle: float = 1e-3) -> float:
    """Return the length of the tangent gradient at each of two points at an angle."""
    x = torch.tensor([[1.0, 0.0], [np.cos(angle), np.sin(angle)]], dtype=torch.float64, requires_grad=True)
    loss(x).backward()
    assert x.grad is not None
    return abs(float(x.grad[0, 1]))


# Cloud


def report_cloud(
    report: Report, runs: Runs, chosen: Mapping[str, Objective], d: int, options: argparse.Namespace
) -> None:
    """Add what minibatches come to from both starts."""
    n, starts = options.points, {name: STARTS[name] for name in options.starts}
    report.add_heading(f"Cloud: {n:,} points in {d} dimensions, minibatches of {options.batch}")
    descents = {
        name: Descent(optimizer, CLOUD_RATE * (n / options.batch if fast else 1), options.updates, options.batch)
        for name, (optimizer, fast) in DESCENTS.items()
        if name in options.descents
    }
    found = {
        (name, start, kind): [
            runs.result(
                run_name(start.replace(" ", "-"), n, d, name, descent, seed),
                partial(cloud_run, make, n, d, loss, descent, seed),
            )
            for seed in options.seeds
        ]
        for name, loss in chosen.items()
        for start, make in starts.items()
        for kind, descent in descents.items()
    }
    report.add(cloud_legend(options))
    columns = [(start, kind) for start in starts for kind in descents]
    before = {start: [described(make(n, d, seed)) for seed in options.seeds] for start, make in starts.items()}
    for key, title in (("angle", "minimum angle"), ("variance", "spherical variance")):
        first = ("at the start", *(mean(before[start], key) for start, _ in columns))
        rows = [(name, *(mean(found[name, *column], key) for column in columns)) for name in chosen]
        report.add_table((title, *(f"{start}, {kind}" for start, kind in columns)), [first, *rows])
    milliseconds = [
        (
            name,
            *(
                f"{1e3 * np.mean([float(r['seconds']) for r in found[name, options.starts[0], k]]):.1f}"
                for k in descents
            ),
        )
        for name in chosen
    ]
    report.add_table(("milliseconds for an update", *descents), milliseconds)
    memory = max(float(run["memory"]) for of_cell in found.values() for run in of_cell if "memory" in run)
    report.add(f"Largest resident memory of a process at the end of a run: {memory:,.0f} MiB.")
    report.add(CLOUD_ADVICE)
    if options.figure:
        figure = Path(options.figure)
        several = len(options.dimensions) > 1
        path = figure.with_stem(f"{figure.stem}_{d}") if several else figure
        report.add(draw(found, list(chosen), str(path)))


CLOUD_ADVICE = """
What to do: say first what "spread" is to mean, and allow for thousands of updates. Uniformly drawn points already
have nearly the spherical variance of the best. The minimum angle belongs to one pair, which minibatches seldom see
together: in a few hundred updates no loss moves it by as much as two draws differ. In 5,000, in 64 dimensions, the
losses of nearest rows (MMA, MMCS, KoLeo) move it by 1.5 degrees and a narrow kernel (Gaussian-12.5) by 3, wide kernels
by half a degree; in 256 MMA by 1.5, KoLeo by .8, a wide kernel by .2 and the narrow one by nothing: distances are so
much alike there that its gradients are far below the ε of Adam, so let γ fall as d grows. From a crowded start, in 64,
the losses of nearest rows, wide kernels and SSW come to a variance of .99, Lloyd, the sliced losses and the
narrow kernel to .5 to .85."""


def cloud_legend(options: argparse.Namespace) -> str:
    """Return what the tables hold."""
    return f"""Means over the seeds {", ".join(map(str, options.seeds))}, in degrees, after {options.updates:,} updates
    (source: 5,000, of 20,000 points) at the learning rate {CLOUD_RATE}, in float32. Starts: uniform, and power
    spherical with κ = {CONCENTRATION:.0f}, all points around one axis. Riem. is RiemannianAdam, in which points
    outside of the batch rest, so that in n updates each moves n · batch / points times; Riem. fast makes up for it by
    a learning rate points / batch times as large; SphereDispersion starts with that rate and lets it fall to 0. Adam
    works entry by entry, also on points outside of the batch, by
    their momentum, and all are projected back. Lloyd takes 512 samples, the sliced regularisers one circle or plane,
    SSW fifty. The chance that the two nearest of all points meet in a batch is (batch / points)², so that few updates
    hardly move the minimum angle. Times are those of whole runs, whatever else the machine did."""


def cloud_run(
    start: Callable[[int, int, int], np.ndarray], n: int, d: int, objective: Objective, descent: Descent, seed: int
) -> dict[str, float]:
    return measured(start(n, d, seed).astype(np.float32), objective, descent, seed)


def peak_memory() -> float:
    """Return the largest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def draw(found: Mapping[tuple[str, str, str], list[Any]], names: list[str], path: str) -> str:
    """Draw the smallest angles, and return a sentence that says so."""
    if importlib.util.find_spec("matplotlib") is None:
        return "No figure: matplotlib is not installed."
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1 + 0.35 * len(names)), layout="constrained")
    titles = {"angle": "minimum angle, degrees", "variance": "spherical variance"}
    columns = dict.fromkeys((start, kind) for _, start, kind in found)
    for axes, (key, title) in zip(figure.subplots(1, 2, sharey=True), titles.items(), strict=True):
        for column, marker in zip(columns, MARKERS[: len(columns)], strict=True):
            values = [np.mean([float(r[key]) for r in found[name, *column]]) for name in names]
            axes.plot(values, names, marker, label=", ".join(column), alpha=0.7)
        axes.set(xlabel=title)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize="small")
    figure.savefig(path, dpi=90)
    return f"Drawn: {Path(path).name}."


# What is left


def report_baseline(report: Report, sizes: list[int]) -> None:
    """Add clouds that are left as they were drawn."""
    report.add_heading("Uniform clouds, left as they were drawn")
    rows = [
        (f"{n:,} x {d}", f"{found['angle']:.3f}", f"{found['variance']:.5f}")
        for n in sizes
        for d in BASELINE_DIMENSIONS
        for found in [described(uniform(n, d, 42).astype(np.float32))]
    ]
    report.add_table(("n x d", "minimum angle", "spherical variance"), rows)


def report_translation(report: Report) -> None:
    """Add the published figures of translation, for which no data can be had."""
    report.add_heading("Translation")
    report.add("Published, not run here: embeddings of 128 dimensions in a decoder, regularised with the weight 10.")
    report.add_table(("regulariser", "BLEU", "COMET", "smallest distance", "spherical variance"), TRANSLATION)


def report_slips(report: Report) -> None:
    """Add the errors of the reference code that change figures."""
    report.add_heading("Errors of the reference code")
    report.add(
        """* Laplace and Riesz kernels on chords have 2 - cos for 2 - 2 cos: no singularity, and repulsion that fades
        towards contact.""",
        """* The Gaussian kernel on chords is exp(γ cos), so its γ is twice that of exp(-γ‖x - y‖²) up to a factor; the
        geodesic one does not clip the cosine, and has a gradient of NaN at 1.""",
        """* MHE divides by a number of pairs that comes out as 1 for all points, and so is a sum; other kernels are
        twice the mean over pairs; MMCS has an offset of 1.""",
        """* The minimum angle by blocks masks the diagonal of off-diagonal blocks and overlooks pairs: .0529 radians
        where the smallest is .00171. The mean angle by blocks drops half of the pairs between blocks, and the median
        is one of medians.""",
        """* Angles by a clipped arccosine cannot be less than 4.5e-4; the clip of Lloyd's has no gradient below.""",
        """* In minibatches of kernels the diagonal that is set to zero belongs to other pairs than a point with
        itself.""",
    )


if __name__ == "__main__":
    main()
