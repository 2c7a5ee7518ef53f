"""Training curves of "Isotropy, clusters, and classifiers" beside what skgeom obtains.

The source is Mickus, Grönroos & Attieh 2024, arXiv:2402.03191: embeddings are trained under a linear classifier by
1,000 full-batch updates of Adam, and IsoScore falls while the silhouette rises. Sentences are embedded by
all-MiniLM-L6, as in part of the source, and start as unit rows. Its word vectors cannot be had: input embeddings of
MiniLM stand in, raw, whose words have one label each, under a loss for each label.

--task-file takes your own: an .npz file with X (n, d), y (labels, or an indicator of several) and, where y belongs to
pairs of rows, pairs (m, 2); or, where items share rows, the row (m,) and the label y_items (m,) of each item. Rows are
taken as they are: the source trains unit rows, which --unit makes of them; raw ones have another r. With --runs, each
finished run is kept and not computed again. Tasks of GLUE are in isotropy_glue, other heads in isotropy_heads.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from scipy.stats import pearsonr, spearmanr
from sklearn import metrics as peer

from benchmarks._harness import limited, machine
from benchmarks.papers._inputs import found, missing
from benchmarks.papers._markdown import Report
from benchmarks.papers._runs import Runs, add_runs_option
from skgeom.metrics import collapse_bound, silhouette_score
from skgeom.optim import EmbeddingOptimizer

Run: TypeAlias = Mapping[str, np.ndarray]

FILES = {
    "polarity": "rt_polarity_minilm.npz",
    "snli": "snli_dev_minilm.npz",
    "supersense": "words_minilm_wordpiece_384d.npz",
    "pos": "words_minilm_wordpiece_384d.npz",
}
PUBLISHED = {"polarity": -0.808, "snli": -0.878, "pos": -0.947, "supersense": -0.978}  # table 3: r; all ρ < -.998
PUBLISHED_SPEARMAN = "< -.998"
PUBLISHED_DEVIATIONS = (0.0054, 0.0008)  # over seeds: the largest, the mean
PUBLISHED_GLUE = ((-0.93973, -0.83864), (-0.99999, -0.96650))  # ranges of r and ρ: 8 tasks, 3 encoders, 250 updates

WORDS = ("supersense", "pos")
FOLDED_TAGS = ("nn", "vb", "jj", "rb")
"""Beginnings of the Penn tags of nouns, verbs, adjectives and adverbs: the source has four parts of speech."""

EVERY = 10
PEER_UPDATES = 20
THREADS = 2


class Task(NamedTuple):
    """Rows, labels (m,) or an indicator (m, k), of rows or of items; and whether the head has a bias.

    Items are pairs of rows (m, 2), or single ones (m, 1) that share rows.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    pairs: np.ndarray | None = None
    bias: bool = True

    @property
    def clusters(self) -> np.ndarray:
        """The cluster of each item: its label, or its vector of labels."""
        return self.y if self.y.ndim == 1 else np.unique(self.y, axis=0, return_inverse=True)[1].reshape(-1)

    @property
    def outputs(self) -> int:
        """Number of outputs of the head."""
        return np.unique(self.y).size if self.y.ndim == 1 else self.y.shape[1]

    def joint(self, z: np.ndarray) -> np.ndarray:
        """Return the rows that y belongs to: concatenated pairs, where there are pairs."""
        return z if self.pairs is None else np.hstack([z[side] for side in self.pairs.T])


class Size(NamedTuple):
    """What a model holds: rows of d numbers and a linear head with k outputs, of pairs, with a bias or not."""

    rows: int
    d: int
    k: int
    pairs: bool = False
    bias: bool = True

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return self.rows * self.d + (2 if self.pairs else 1) * self.d * self.k + self.bias * self.k


def main(argv: list[str] | None = None) -> None:
    options = parser().parse_args(argv)
    report, runs = Report(), Runs(options.runs)
    report.add_heading("Isotropy, clusters, and classifiers")
    report.add(*(__doc__ or "").split("\n\n")[1:])
    report.add(*machine())
    report_sizes(report)
    tasks = [task for name in options.tasks for task in given_task(report, options.data, name)]
    tasks = [scaled(task, factor) for task in tasks for factor in (options.scales if task.name in WORDS else [1.0])]
    tasks += [file_task(path, options.unit) for path in options.task_file]
    if options.speed:
        report_speed(report, runs, tasks, options.updates)
    if tasks:
        report_runs(report, runs, tasks, options)
    report.write(options.out)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.papers.isotropy_clusters_classifiers",
        description='Training curves of "Isotropy, clusters, and classifiers" beside skgeom.',
    )
    p.add_argument("--data", default=os.environ.get("SKGEOM_DATA"), help="folder of the data")
    p.add_argument("--tasks", nargs="*", choices=list(FILES), default=list(FILES), help="which tasks; all by default")
    p.add_argument("--task-file", nargs="*", metavar="NPZ", default=[], help="your tasks: X, y and, of pairs, pairs")
    p.add_argument("--unit", action="store_true", help="make unit rows of those in your files, as the source has them")
    p.add_argument(
        "--scales",
        type=float,
        nargs="+",
        default=[1.0, 3.0],
        help="factors on word vectors: a step of Adam has one size",
    )
    p.add_argument("--seeds", type=int, default=5, help="number of starts of the head")
    p.add_argument("--updates", type=int, default=1000, help="number of updates")
    p.add_argument(
        "--every", type=int, metavar="N", help="measure at every N-th update; by default at all of polarity, else 10"
    )
    p.add_argument("--speed", action="store_true", help="time the run of polarity beside the stack of the source")
    p.add_argument("--out", metavar="FILE", help="write the tables to this file, too")
    p.add_argument("--figure", metavar="FILE", help="draw the curves, .png; needs matplotlib")
    add_runs_option(p)
    return p


# Tasks


def given_task(report: Report, folder: str | None, name: str) -> list[Task]:
    """Return one of the tasks by name, or nothing where its file is not there."""
    path = found(folder, FILES[name])
    if path is None:
        report.add(f"{name}: {missing(folder, FILES[name])}")
        return []
    with np.load(path) as stored:
        return [READERS[name](stored)]


def polarity_task(stored: Mapping[str, np.ndarray]) -> Task:
    """Return the sentences of reviews: unit rows, and a head without bias, as the source has by its parameters."""
    return Task("polarity", unit_rows(stored["X_raw"]), stored["y"], bias=False)


def snli_task(stored: Mapping[str, np.ndarray]) -> Task:
    """Return pairs of distinct sentences."""
    return Task("snli", unit_rows(stored["X_raw"]), stored["y"], np.stack([stored["i"], stored["j"]], axis=1))


def supersense_task(stored: Mapping[str, np.ndarray]) -> Task:
    """Return words whose most frequent supersense is one of nouns, of which there are 26 as in the source."""
    names = stored["supersense_names"]
    nouns = np.flatnonzero(np.char.startswith(names, "noun."))
    return word_task(
        "supersense", stored["X"], np.where(np.isin(stored["supersense"], nouns), stored["supersense"], -1)
    )


def pos_task(stored: Mapping[str, np.ndarray]) -> Task:
    """Return words with the part of speech of their most frequent tag."""
    classes = np.full(stored["pos"].shape, -1)
    for k, start in enumerate(FOLDED_TAGS):
        tags = np.flatnonzero(np.char.startswith(stored["pos_names"], start))
        classes[np.isin(stored["pos"], tags)] = k
    return word_task("pos", stored["X"], classes)


def word_task(name: str, x: np.ndarray, classes: np.ndarray) -> Task:
    """Return the words that have a class, with an indicator of one label each: the head has a loss for each."""
    has = classes >= 0
    values, codes = np.unique(classes[has], return_inverse=True)
    return Task(name, x[has].astype(np.float32), np.eye(values.size, dtype=np.int8)[codes])


def scaled(task: Task, factor: float) -> Task:
    """Return a task whose rows start longer by a factor, which its name says."""
    return task if factor == 1 else task._replace(name=f"{task.name} x{factor:g}", x=task.x * np.float32(factor))


def file_task(path: str, unit: bool = False) -> Task:
    """Return the task in a file of the user, its rows in at least float32."""
    with np.load(path) as stored:
        if not {"X", "y"} <= set(stored):
            raise SystemExit(f"{path}: expected arrays X and y, got {', '.join(stored) or 'none'}.")
        x = stored["X"].astype(np.promote_types(stored["X"].dtype, np.float32), copy=False)
        shares = {"row", "y_items"} <= set(stored)
        return Task(
            Path(path).stem,
            unit_rows(x) if unit else x,
            stored["y_items"] if shares else stored["y"],
            stored["row"][:, None] if shares else stored.get("pairs"),
        )


def unit_rows(x: np.ndarray) -> np.ndarray:
    """Return rows of length one in their own precision: float32 is what the source trains in."""
    return x / np.linalg.norm(x, axis=1, keepdims=True)


READERS: dict[str, Callable[[Mapping[str, np.ndarray]], Task]] = {
    "polarity": polarity_task,
    "snli": snli_task,
    "supersense": supersense_task,
    "pos": pos_task,
}


# Runs


def trained(runs: Runs, task: Task, seed: int, updates: int, every: int, **options: Any) -> Run:
    """Return the curves of one run, from the folder of runs if they are there; options are those of the optimiser."""
    name = trained_name(task, seed, updates, every, **options)
    return runs.result(name, lambda: train(task, seed, updates, every, **options))


def trained_name(task: Task, seed: int, updates: int, every: int, **options: Any) -> str:
    """Return the name of a run with options."""
    return run_name(task, seed, updates, every) + "".join(f"-{key}{value}" for key, value in options.items())


def every_by_default(task: Task) -> int:
    """Return after how many updates a task is measured: polarity after each, as the source has its curves."""
    return 1 if task.name == "polarity" else EVERY


def run_name(task: Task, seed: int, updates: int, every: int) -> str:
    return f"{task.name.replace(' ', '-')}-seed{seed}-updates{updates}-every{every}"


def train(task: Task, seed: int, updates: int, every: int, *further: Callable[..., float], **options: Any) -> Run:
    """Train rows and head, and return the curves; of samples without the squared silhouette, which knows all rows."""
    squared = [squared_silhouette(task)] if options.get("monitor_sample") is None else []
    optimizer = EmbeddingOptimizer(
        "cross_entropy" if task.y.ndim == 1 else "binary_cross_entropy",
        **{
            "parametrization": "points",
            "fit_intercept": task.bias,
            "max_iter": updates,
            "monitor": ["isoscore", "silhouette", *squared, *further],
            "monitor_every": every,
            "random_state": seed,
            "verbose": 1,
            **options,
        },
    )
    optimizer.fit(task.x, task.y, pairs=task.pairs)
    if optimizer.was_interrupted_:
        raise SystemExit("Interrupted: finished runs are kept, this one is not.")
    return optimizer.history_


def squared_silhouette(task: Task) -> Callable[[np.ndarray], float]:
    """Return a measure of the rows: the silhouette under squared distances, which the formulas of the source have."""
    clusters = task.clusters

    def silhouette_squared(embedding: np.ndarray) -> float:
        return silhouette_score(task.joint(embedding), clusters, metric="sqeuclidean")

    return silhouette_squared


def report_runs(report: Report, runs: Runs, tasks: list[Task], options: argparse.Namespace) -> None:
    """Add table 3 and what figures 2 and 3 show."""
    curves = {
        task.name: [
            trained(runs, task, seed, options.updates, options.every or every_by_default(task))
            for seed in range(options.seeds)
        ]
        for task in tasks
    }
    report.add_heading(f"Table 3: IsoScore against silhouette over {options.updates:,} updates")
    report.add(correlation_legend(options))
    header = ("task", "published r, ρ", "r", "ρ", "r of log", "r, squared", "ρ, squared")
    report.add_table(header, [correlation_row(name, found_runs) for name, found_runs in curves.items()])
    dense = {name: found_runs[0] for name, found_runs in curves.items() if found_runs[0]["iteration"][1] < EVERY}
    if dense and options.updates > EVERY:
        report.add(*(thinned_note(name, run) for name, run in dense.items()))
    report.add_heading("Figures 2 and 3: where the curves begin and end")
    report.add(CURVE_LEGEND)
    header = (
        "task",
        "n x d, items, k",
        "silhouette",
        "squared",
        "IsoScore",
        "log",
        "log ratio",
        "bound",
        "sd over seeds",
    )
    report.add_table(header, [curve_row(task, curves[task.name]) for task in tasks])
    if options.figure:
        report.add(draw(curves, options.figure))


def correlation_legend(options: argparse.Namespace) -> str:
    """Return what table 3 holds."""
    often = f"at every {EVERY} updates, of polarity at every one" if not options.every else f"at every {options.every}"
    (low, high), (low_rank, high_rank) = PUBLISHED_GLUE
    return f"""Mean ± standard deviation over the seeds ({options.seeds}) of Pearson's r and Spearman's ρ along a run,
    measured {often}; curves between records are interpolated. Published deviations: at most
    {PUBLISHED_DEVIATIONS[0]}, {PUBLISHED_DEVIATIONS[1]} on average. Tasks of GLUE: r from {low} to {high}, ρ from
    {low_rank} to {high_rank} (250 updates, measured on fresh samples of 20,000). Silhouettes have Euclidean distances,
    or squared ones as in the formulas of the source; its table has the former, as GLUE shows (isotropy_glue). Of pairs,
    the silhouette sees the rows side by side and IsoScore the rows. "r of log" is one number for all readings of a
    log-normalised IsoScore s: log s, the log ratio log(s/s₀), and log s brought to 0 to 1 differ by a shift and a
    factor, which r does not see; nor does ρ see the logarithm. "x3" is the same words with vectors three times as long:
    Adam moves every number by about the learning rate whatever its size, so that long vectors change less."""


def correlation_row(name: str, curves: list[Run]) -> tuple[str, ...]:
    """Return the correlations of a task beside the published ones."""
    source = name.split()[0]
    published = f"{PUBLISHED[source]:.3f}, {PUBLISHED_SPEARMAN}" if source in PUBLISHED else ""
    columns = zip(*map(correlations, curves), strict=True)
    return name, published, *map(spread, columns)


def correlations(run: Run) -> list[float]:
    """Return r, ρ, r of the logarithm, and r and ρ of the silhouette of squared distances, over all updates."""
    score, silhouette, squared = (at_every_update(run, key) for key in ("isoscore", "silhouette", "silhouette_squared"))
    return [
        float(pearsonr(silhouette, score)[0]),
        float(spearmanr(silhouette, score)[0]),
        float(pearsonr(silhouette, np.log(score))[0]),
        float(pearsonr(squared, score)[0]),
        float(spearmanr(squared, score)[0]),
    ]


def at_every_update(run: Run, key: str) -> np.ndarray:
    """Return a curve at every update, between records by a monotone cubic: few records would weigh the start more."""
    iteration = run["iteration"]
    return PchipInterpolator(iteration, run[key])(np.arange(iteration[-1] + 1))


def thinned_note(name: str, run: Run) -> str:
    """Return what it changes to measure less often."""
    kept = run["iteration"] % EVERY == 0
    thin = {key: run[key][kept] for key in ("iteration", *SHOWN)}
    (r, rho, *_), (r_thin, rho_thin, *_) = correlations(run), correlations(thin)
    return f"""* {name}, seed 0: r {r:.4f} and ρ {rho:.6f} of all records; {r_thin:.4f} and {rho_thin:.6f} from records
    at every {EVERY} updates alone."""


CURVE_LEGEND = """
Start → end, means over seeds. "log" is the natural logarithm of IsoScore s and "log ratio" is log(s/s₀), from 0; the
third reading, log s from its smallest to its largest, goes from 1 to 0 by definition. "bound" is the largest IsoScore
that fully collapsed classes allow, (min(k - 1, d) - 1)/(d - 1); of pairs it says nothing. The last column is the
largest standard deviation over seeds, at any update, of silhouette and IsoScore."""


def curve_row(task: Task, curves: list[Run]) -> tuple[str, ...]:
    """Return where the curves of a task begin and end, and how far seeds differ."""
    k = np.unique(task.clusters).size
    score = np.array([[run["isoscore"][0], run["isoscore"][-1]] for run in curves])
    ends = {key: np.mean([[run[key][0], run[key][-1]] for run in curves], axis=0) for key in SHOWN}
    bound = "" if task.pairs is not None else f"{collapse_bound(k, task.x.shape[1]):.3f}"
    return (
        task.name,
        f"{task.x.shape[0]:,} x {task.x.shape[1]}, {task.y.shape[0]:,}, {k}",
        *(arrow(ends[key]) for key in SHOWN),
        arrow(np.log(score).mean(axis=0)),
        arrow(np.log(score / score[:, :1]).mean(axis=0)),
        bound,
        ", ".join(f"{largest_deviation(curves, key):.1e}" for key in ("silhouette", "isoscore") if len(curves) > 1),
    )


SHOWN = ("silhouette", "silhouette_squared", "isoscore")


def largest_deviation(curves: list[Run], key: str) -> float:
    """Return the largest standard deviation over runs at any update."""
    return float(np.std([run[key] for run in curves], axis=0).max())


def arrow(ends: np.ndarray) -> str:
    return f"{ends[0]:.4g} → {ends[1]:.4g}"


def spread(values: tuple[float, ...]) -> str:
    """Return the mean and standard deviation of numbers close to -1, with the digits that tell them from it."""
    digits = 6 if np.mean(values) < -0.995 else 4
    deviation = f" ± {np.std(values):.0e}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{deviation}"


def draw(curves: Mapping[str, list[Run]], path: str) -> str:
    """Draw the curves of all seeds, and return a sentence that says so."""
    if importlib.util.find_spec("matplotlib") is None:
        return "No figure: matplotlib is not installed."
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.6 * len(curves)), layout="constrained")
    for row, (name, found_runs) in zip(figure.subplots(len(curves), 3, squeeze=False), curves.items(), strict=True):
        for run in found_runs:
            log_ratio = np.log(run["isoscore"] / run["isoscore"][0])
            row[0].plot(run["iteration"], run["silhouette"], lw=1)
            row[1].plot(run["iteration"], log_ratio, lw=1)
            row[2].plot(*(at_every_update(run, key) for key in ("isoscore", "silhouette")), lw=1)
        row[0].set(xlabel="update", ylabel="silhouette", title=name)
        row[1].set(xlabel="update", ylabel="log(s/s₀)", title="log ratio of IsoScore s")
        row[2].set(xlabel="IsoScore", ylabel="silhouette", title=f"r = {correlations(found_runs[0])[0]:.3f}")
    figure.savefig(path, dpi=90)
    return f"Drawn: {Path(path).name}."


# Tables 1 and 2: sizes

SIZES = {  # table 1, with the published number of parameters
    "polarity": (Size(10_662, 384, 2, bias=False), 4_094_976),
    "SNLI, head of pairs": (Size(12_982, 384, 3, pairs=True), 4_987_395),
    "SNLI, head of rows": (Size(12_985, 384, 3), 4_987_395),
    "supersense": (Size(2_275, 300, 26), 690_326),
    "part of speech (CoDWoE)": (Size(14_466, 300, 4), 4_341_004),
}
GLUE = {  # table 2: distinct sentences, outputs, and whether they come in pairs
    "CoLA": (8_532, 2, False),
    "MNLI": (519_214, 3, True),
    "MRPC": (7_052, 2, True),
    "QNLI": (110_978, 2, True),
    "QQP": (493_874, 2, True),
    "RTE": (4_523, 2, True),
    "SST-2": (66_978, 2, False),
    "WNLI": (925, 2, True),
}


def report_sizes(report: Report) -> None:
    """Add the parameter counts of tables 1 and 2."""
    report.add_heading("Tables 1 and 2: parameters")
    rows = [
        (name, f"{size.rows:,} x {size.d}", str(size.k), f"{published:,}", f"{size.parameters:,}")
        for name, (size, published) in SIZES.items()
    ]
    report.add_table(("table 1", "rows", "outputs", "published", "rows·d + head"), rows)
    report.add(
        """* Polarity has no bias, all others have one.""",
        """* SNLI comes out in two ways: 12,982 rows with a head of pairs, 2d → 3, or 12,985 with a head of rows.""",
        """* CoDWoE is said to have 11,462 items; its parameters are those of 14,466 rows: a slip of digits.""",
    )
    rows = [
        (name, f"{rows:,}", "yes" if pairs else "no", *(f"{Size(rows, d, k, pairs).parameters:,}" for d in (384, 768)))
        for name, (rows, k, pairs) in GLUE.items()
    ]
    report.add("Table 2, of which all counts are those of the distinct sentences of GLUE:")
    report.add_table(("table 2", "rows", "pairs", "d = 384", "d = 768"), rows)


# Speed


def report_speed(report: Report, runs: Runs, tasks: list[Task], updates: int) -> None:
    """Add the time of the whole run of polarity beside the stack of the source."""
    report.add_heading(f"Time of a run: polarity, {updates:,} updates, both measures at every update")
    task = next((task for task in tasks if task.name == "polarity"), None)
    if task is None:
        report.add("Skipped: polarity is not among the tasks.")
        return
    timed = runs.result(f"{task.name}-speed-updates{updates}", lambda: timed_run(runs, task, updates))
    report.add(speed_legend(updates, timed["peer"].shape[0]))
    header = ("seconds", "mean", "median", "lowest tenth", "CPU, mean", "CPU, median")
    report.add_table(header, speed_rows(timed))
    report.add(speed_verdict(timed))


def timed_run(runs: Runs, task: Task, updates: int) -> dict[str, Any]:
    """Train with both measures at every update, and let the stack of the source take turns at some of them."""
    with limited(THREADS):
        steps = step_seconds(task)
        stack = PeerStack(task, updates)
        run = train(task, 0, updates, 1, stack)
        steps += step_seconds(task)
    kept = {name: run[name] for name in ("iteration", "loss", *SHOWN)}
    runs.result(run_name(task, 0, updates, 1), lambda: kept)
    ours = np.stack([kept["isoscore"], kept["silhouette"]], axis=1)[stack.at]
    differences = np.abs(ours - stack.values).max(axis=0)
    return {"ours": stack.between, "steps": steps, "peer": stack.parts, "differences": differences}


def step_seconds(task: Task) -> list[np.ndarray]:
    """Return the times of an update without measures, each the mean of a fit of ten updates."""
    times = []
    for _ in range(5):
        start = clocks()
        EmbeddingOptimizer(
            parametrization="points", fit_intercept=task.bias, max_iter=10, monitor=None, random_state=0
        ).fit(task.x, task.y)
        times.append((clocks() - start) / 10)
    return times


def clocks() -> np.ndarray:
    """Return the wall clock and the CPU time of the process, in seconds."""
    return np.array([perf_counter(), process_time()])


class PeerStack:
    """The stack of the source as a measure that takes its turn at evenly spaced updates, and times itself.

    It trains rows of its own, whose time does not depend on their values, and measures the rows it is given. The times
    between its turns are those of the run that it watches.
    """

    __name__ = "peer"

    def __init__(self, task: Task, updates: int) -> None:
        self.task = task
        self.every = max(1, updates // PEER_UPDATES)
        self.calls = 0
        self.left = np.empty(2)
        self.between: list[np.ndarray] = []
        self.at: list[int] = []
        self.parts: list[np.ndarray] = []
        self.values: list[list[float]] = []
        self.y = torch.as_tensor(task.y.astype(np.int64))
        self.rows = torch.nn.Embedding.from_pretrained(torch.tensor(task.x), freeze=False)
        self.head = torch.nn.Linear(task.x.shape[1], task.outputs, bias=task.bias)
        self.adam = torch.optim.Adam([*self.rows.parameters(), *self.head.parameters()], lr=1e-3)
        self.take(task.x)  # a warm-up

    def __call__(self, embedding: np.ndarray) -> float:
        """Take a turn, or pass."""
        if self.calls:
            self.between.append(clocks() - self.left)
        if self.calls % self.every == 0 and len(self.at) < PEER_UPDATES:
            parts, values = self.take(embedding)
            self.at.append(self.calls)
            self.parts.append(parts)
            self.values.append(values)
        self.calls += 1
        self.left = clocks()
        return 0.0

    @torch.enable_grad()
    def take(self, embedding: np.ndarray) -> tuple[np.ndarray, list[float]]:
        """Return the seconds of step, IsoScore and silhouette, by both clocks, and the values of the two."""
        from IsoScore.IsoScore import IsoScore

        times = [clocks()]
        self.adam.zero_grad()
        torch.nn.functional.cross_entropy(self.head(self.rows.weight), self.y).backward()
        self.adam.step()
        times.append(clocks())
        score = float(IsoScore(embedding))
        times.append(clocks())
        silhouette = float(peer.silhouette_score(embedding, self.task.y))
        times.append(clocks())
        return np.diff(times, axis=0), [score, silhouette]


def speed_legend(updates: int, peers: int) -> str:
    """Return how the times were taken."""
    return f"""Seconds for an update, {THREADS} threads in all libraries, one process. skgeom: all {updates:,} updates
    of a run with IsoScore and silhouette exact at each, and with the silhouette of squared distances, which the other
    side does not measure. The stack of the source (Torch, IsoScore from PyPI, the silhouette of scikit-learn) takes
    its turn at {peers} updates spread over the same run, on the same rows. Other work on the machine lengthens some
    updates: the lowest tenth is the quantile that it touches least."""


def speed_rows(timed: Mapping[str, np.ndarray]) -> list[tuple[str, ...]]:
    """Return the times of both sides and of their parts."""
    parts = timed["peer"].swapaxes(0, 1)
    samples = [
        ("stack of the source", parts.sum(axis=0)),
        *zip(("- its training step", "- its IsoScore", "- its silhouette"), parts, strict=True),
        ("skgeom", timed["ours"]),
        ("- its training step", timed["steps"]),
    ]
    return [(name, *(f"{value:.3f}" for value in summary(sample))) for name, sample in samples]


def summary(sample: np.ndarray) -> np.ndarray:
    """Return mean, median and lowest tenth of the wall clock, mean and median of the CPU time, of samples (m, 2)."""
    wall, cpu = sample.T
    return np.array([wall.mean(), np.median(wall), np.quantile(wall, 0.1), cpu.mean(), np.median(cpu)])


def speed_verdict(timed: Mapping[str, np.ndarray]) -> str:
    """Return how many times as fast it is, the share of the training step, and how the values differ."""
    ours, step = summary(timed["ours"]), summary(timed["steps"])
    times = summary(timed["peer"].sum(axis=1)) / ours
    score, silhouette = timed["differences"]
    return f"""The whole run takes {timed["ours"][:, 0].sum():.0f} s. Times as fast: {times[0]:.2f} by the means,
    {times[1]:.2f} by the medians and {times[2]:.2f} by the lowest tenths of the wall-clock time; {times[3]:.2f} by the
    means and {times[4]:.2f} by the medians of the CPU time. The training step is {step[1] / ours[1]:.0%} of the time
    of skgeom. Where both measured, the values differ by at most {score:.0e} (IsoScore) and {silhouette:.0e}
    (silhouette)."""


if __name__ == "__main__":
    main()
