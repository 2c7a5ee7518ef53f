"""Isotropy against clusters under heads that are not linear, and measured on samples.

The open questions of Mickus, Grönroos & Attieh 2024, arXiv:2402.03191: does the conflict need a linear classifier, and
what do its fresh samples change? 800 sentences of reviews (polarity) are trained under heads, 300 updates each; all
10,662 are measured as a whole and by fresh samples, 250 updates. Unit rows. With --runs, each finished run is kept and
not computed again.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import pearsonr, spearmanr
from torch import nn

from benchmarks._harness import machine
from benchmarks.papers._figures import draw_conflict
from benchmarks.papers._markdown import Report
from benchmarks.papers._runs import Runs, add_runs_option
from benchmarks.papers.isotropy_clusters_classifiers import FILES, Run, Task, given_task, spread, trained
from skgeom.metrics import collapse_bound

ROWS = 800
SIZES = (5_000, 2_000, 500)
UPDATES, SAMPLED_UPDATES, SAMPLED_EVERY = 300, 250, 5


def perceptron(*widths: int, between: Callable[[], nn.Module] = nn.ReLU) -> Callable[[int, int], nn.Module]:
    """Return a head with hidden layers."""

    def head(n_features: int, n_outputs: int) -> nn.Module:
        sizes = [n_features, *widths]
        layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), between())]
        return nn.Sequential(*layers, nn.Linear(sizes[-1], n_outputs))

    return head


HEADS: dict[str, Any] = {
    "linear": "linear",
    "distance to prototypes": "distance",
    "MLP 64": perceptron(64),
    "MLP 64-64": perceptron(64, 64),
    "MLP 512 tanh": perceptron(512, between=nn.Tanh),
}


def main(argv: list[str] | None = None) -> None:
    options = parser().parse_args(argv)
    report, runs = Report(), Runs(options.runs)
    report.add_heading("Heads that are not linear, and samples")
    report.add(*(__doc__ or "").split("\n\n")[1:])
    report.add(*machine())
    for task in given_task(report, options.data, "polarity"):
        report_heads(report, runs, task, options)
        report_samples(report, runs, task)
    report.write(options.out)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.papers.isotropy_heads", description=__doc__.partition("\n")[0]
    )
    p.add_argument("--data", default=os.environ.get("SKGEOM_DATA"), help=f"folder of {FILES['polarity']}")
    p.add_argument("--seeds", type=int, default=3, help="number of starts of the head, and of draws of 800 rows")
    p.add_argument("--out", metavar="FILE", help="write the tables to this file, too")
    p.add_argument("--figure", metavar="FILE", help="draw the curves under each head, .png; needs matplotlib")
    add_runs_option(p)
    return p


def some(task: Task, n: int, seed: int) -> Task:
    """Return some rows of a task, drawn at random."""
    rows = np.random.default_rng(seed).permutation(task.y.size)[:n]
    return task._replace(name=f"{task.name} {n}", x=task.x[rows], y=task.y[rows])


def report_heads(report: Report, runs: Runs, task: Task, options: argparse.Namespace) -> None:
    """Add the conflict under each head."""
    seeds = options.seeds
    report.add_heading(f"Heads: {ROWS} rows of polarity, {UPDATES} updates")
    report.add(
        f"""Mean ± standard deviation over {seeds} seeds (rows and head) of r and ρ of IsoScore with the silhouette, at
        every update; start → end of both, and the loss in the end. The collapse bound is
        {collapse_bound(2, task.x.shape[1]):.0f}."""
    )
    curves = {
        name: [
            trained(runs, some(task, ROWS, seed)._replace(bias=True), seed, UPDATES, 1, **named(name, head))
            for seed in range(seeds)
        ]
        for name, head in HEADS.items()
    }
    rows = [head_row(name, found) for name, found in curves.items()]
    highest = max(pearsonr(run["silhouette"], run["isoscore"])[0] for found in curves.values() for run in found)
    report.add_table(("head", "r", "ρ", "silhouette", "IsoScore", "loss"), rows)
    report.add(
        f"""The conflict does not need a linear head: the highest r of all runs is {highest:.3f}. What a head can
        do itself the rows need not: the silhouettes in the end go from {rows[0][3].split()[-1]} to
        {rows[-1][3].split()[-1]} down the table."""
    )
    if options.figure:
        panels = {f"{row[0]}\nr = {row[1]}": {"": found} for row, found in zip(rows, curves.values(), strict=True)}
        report.add(draw_conflict(panels, options.figure, columns=len(panels), same_axes=True))


def named(name: str, head: Any) -> dict[str, Any]:
    return {"head": Named(name.replace(" ", "-"), head)} if callable(head) else {"head": head}


class Named:
    """A head whose name is that of its run."""

    def __init__(self, name: str, head: Callable[[int, int], nn.Module]) -> None:
        self.name = name
        self.head = head

    def __call__(self, n_features: int, n_outputs: int) -> nn.Module:
        """Return the module."""
        return self.head(n_features, n_outputs)

    def __repr__(self) -> str:
        return self.name


def head_row(name: str, found: list[Run]) -> tuple[str, ...]:
    r = tuple(float(pearsonr(run["silhouette"], run["isoscore"])[0]) for run in found)
    rho = tuple(float(spearmanr(run["silhouette"], run["isoscore"])[0]) for run in found)
    ends = [np.mean([run[key][[0, -1]] for run in found], axis=0) for key in ("silhouette", "isoscore")]
    loss = np.mean([run["loss"][-1] for run in found])
    return name, spread(r), spread(rho), *(f"{start:.3f} → {end:.4f}" for start, end in ends), f"{loss:.1e}"


def report_samples(report: Report, runs: Runs, task: Task) -> None:
    """Add what fresh samples change of a run."""
    report.add_heading(f"Samples: {task.y.size:,} rows of polarity, {SAMPLED_UPDATES} updates")
    report.add(
        f"""One run, measured at every {SAMPLED_EVERY} updates as a whole and by a fresh sample at each record (debiased
        IsoScore). r and ρ are those of the records; deviations are from the whole, and "in standard errors" is their
        root mean square over the standard errors of the history: 1 if these are right."""
    )
    whole = trained(runs, task, 0, SAMPLED_UPDATES, SAMPLED_EVERY)
    rows = [sample_row("all", whole, whole)]
    for size in SIZES:
        run = trained(runs, task, 0, SAMPLED_UPDATES, SAMPLED_EVERY, monitor_sample=size)
        rows.append(sample_row(f"{size:,}", run, whole))
    header = ("rows", "r", "ρ", "IsoScore, largest deviation", "in standard errors", "silhouette, largest", "in s.e.")
    report.add_table(header, rows)


def sample_row(name: str, run: Run, whole: Run) -> tuple[str, ...]:
    r = pearsonr(run["silhouette"], run["isoscore"])[0]
    rho = spearmanr(run["silhouette"], run["isoscore"])[0]
    cells = []
    for key in ("isoscore", "silhouette"):
        off = run[key] - whole[key]
        errors = np.asarray(run.get(f"{key}_se", np.nan))
        relative = np.sqrt(np.mean((off / errors) ** 2)) if np.isfinite(errors).all() else np.nan
        cells += [f"{np.abs(off).max():.4f}", "" if np.isnan(relative) else f"{relative:.2f}"]
    return name, f"{r:.4f}", f"{rho:.4f}", *cells


if __name__ == "__main__":
    main()
