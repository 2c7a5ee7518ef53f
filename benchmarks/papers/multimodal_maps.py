"""Pictures of two modalities: principal projections, cosines of partners and of others, and maps of neighbours.

The source is Tyshchuk et al. 2023, doi:10.3390/info14070392, figures 2 to 13, of COCO in CLIP ViT-B/32. 500 published
pairs of COCO in CLIP ViT-B/16 stand in, and the same by the architecture with random weights. Beside each picture stand
the numbers that it is looked at for. The maps are t-SNE of 250 pairs, at the perplexities of the source, 5 and 50, and
UMAP where umap-learn is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from sklearn.manifold import TSNE, trustworthiness

from benchmarks.papers._inputs import CLIP_FILE, Pairs, arguments, clip_pairs, missing, unit, user_pairs
from benchmarks.papers._markdown import Report
from skgeom.metrics import k_nearest, modality_separability, participation_ratio

Clouds: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Unit rows of two modalities."""

MAPPED = 250
NEIGHBOURS = 10
PERPLEXITIES = (5, 50)


def main(argv: list[str] | None = None) -> None:
    options = parser().parse_args(argv)
    report = Report()
    report.add_heading("On isotropy of multimodal embeddings: pictures")
    report.add(*(__doc__ or "").split("\n\n")[1:])
    pairs = [*clip_pairs(options.data, "clip", "CLIP"), *clip_pairs(options.data, "clip_random", "random CLIP")]
    if not pairs:
        report.add(missing(options.data, CLIP_FILE))
    steps = {name: clouds for p in [*pairs, *user_pairs(options.images, options.texts)] for name, clouds in stages(p)}
    if steps:
        report_projections(report, steps, options)
        report_cosines(report, steps, options)
        report_maps(report, {name: c for name, c in steps.items() if "random" not in name}, options)
    report.write(options.out)


def parser() -> argparse.ArgumentParser:
    p = arguments("multimodal_maps", "Pictures of two modalities, and the numbers they are looked at for.")
    p.add_argument(
        "--figures", metavar="STEM", help="draw STEM_svd.png, STEM_cosines.png, STEM_maps.png; needs matplotlib"
    )
    return p


def stages(pairs: Pairs) -> Iterator[tuple[str, Clouds]]:
    """Yield unit rows as they are, and each modality centred and of unit length again."""
    x, y = unit(pairs.x), unit(pairs.y)
    yield f"{pairs.name}, as it is", (x, y)
    yield f"{pairs.name}, centred", (unit(x - x.mean(axis=0)), unit(y - y.mean(axis=0)))


# Principal projections


def report_projections(report: Report, steps: dict[str, Clouds], options: argparse.Namespace) -> None:
    """Add what the two first singular directions of both modalities together hold."""
    report.add_heading("Figures 2 to 8, 12 and 13: singular values and projections")
    report.add(
        """Of the rows of both modalities together, not centred again, as in the source: the share of the sum of squares
        in the first, second and third singular direction; how well the two coordinates of the picture tell the
        modalities apart (a linear classifier, cross-validated), and how well all features do; and the number of
        directions in use (participation ratio) of either modality. Centred clouds come out below one half: of rows
        whose mean is zero, the held-out ones lie opposite to the others."""
    )
    rows = []
    for name, (x, y) in steps.items():
        projection, values = projected(x, y)
        shares = values**2 / (values**2).sum()
        halves = np.split(projection, 2)
        cells = (modality_separability(*halves), modality_separability(x, y))
        ranks = f"{participation_ratio(x):.0f} / {participation_ratio(y):.0f}"
        rows.append((name, *(f"{100 * s:.1f} %" for s in shares[:3]), *(f"{c:.3f}" for c in cells), ranks))
    header = ("unit rows", "first", "second", "third", "apart in two", "apart in all", "in use")
    report.add_table(header, rows)
    report.add(
        """What to do: do not judge isotropy by such a picture. As they are, the first direction is the common mean and
        the second the gap, so that the picture shows two offsets and nothing of either shape; after centring it shows
        the few percent that two directions of a wide cloud hold. Print the shares and the participation ratio with
        it."""
    )
    report.add(drawn(options.figures, "svd", lambda figure: draw_projections(figure, steps), (9, 2.6 * len(steps))))


def projected(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates of all rows on the first two right singular vectors, and all singular values."""
    u, s, _ = np.linalg.svd(np.vstack([x, y]), full_matrices=False)
    return u[:, :2] * s[:2], s


def draw_projections(figure: Any, steps: dict[str, Clouds]) -> None:
    for (left, right), (name, (x, y)) in zip(figure.subplots(len(steps), 2), steps.items(), strict=True):
        coordinates, values = projected(x, y)
        scatter(left, coordinates)
        left.set(title=name, xlabel="first", ylabel="second")
        right.semilogy(np.arange(1, len(values) + 1), np.maximum(values, 1e-3))
        right.set(title="singular values", xlabel="number")


def scatter(axes: Any, points: np.ndarray) -> None:
    """Draw both modalities, each in its colour."""
    for half, label in zip(np.split(points, 2), ("image", "text"), strict=True):
        axes.plot(*half.T, ".", markersize=3, alpha=0.6, label=label)
    axes.legend(fontsize="small", markerscale=3)


# Cosines


def report_cosines(report: Report, steps: dict[str, Clouds], options: argparse.Namespace) -> None:
    """Add the distributions of the cosines of partners and of others."""
    report.add_heading("Figures 9 to 11: cosines of partners and of others")
    rows = []
    for name, (x, y) in steps.items():
        partners, others = cosines(x, y)
        overlap = float(np.searchsorted(np.sort(others), partners).mean() / len(others))
        numbers = partners.mean(), partners.std(), others.mean(), others.std()
        distance = (partners.mean() - others.mean()) / np.hypot(partners.std(), others.std())
        rows.append((name, *(f"{v:.3f}" for v in numbers), f"{distance:.2f}", f"{overlap:.4f}"))
    report.add(
        """Means and standard deviations; how far the means are apart, in units of both spreads together; and the chance
        that a partner has the larger cosine of two."""
    )
    header = ("unit rows", "partners", "sd", "others", "sd", "apart", "chance")
    report.add_table(header, rows)
    report.add(
        """What to do: read cosines across modalities as ranks. As they are, partners have a cosine that would mean
        "unrelated" within one modality; a threshold that was found within one does not carry over. Centring moves both
        distributions and widens that of the others, and does not make partners easier to tell."""
    )
    report.add(drawn(options.figures, "cosines", lambda figure: draw_cosines(figure, steps), (9, 3 * (len(steps) / 2))))


def cosines(x: np.ndarray, y: np.ndarray) -> Clouds:
    """Return the cosines of partners, and of all other pairs across."""
    products = x @ y.T
    return np.diag(products).copy(), products[~np.eye(len(x), dtype=bool)]


def draw_cosines(figure: Any, steps: dict[str, Clouds]) -> None:
    panels = np.ravel(figure.subplots(-(-len(steps) // 2), 2))
    for axes, (name, clouds) in zip(panels, steps.items(), strict=False):
        for values, label in zip(cosines(*clouds), ("partners", "others"), strict=True):
            axes.hist(values, bins=60, density=True, alpha=0.6, label=label)
        axes.set(title=name, xlabel="cosine", yticks=[])
        axes.legend(fontsize="small")


# Maps


def report_maps(report: Report, steps: dict[str, Clouds], options: argparse.Namespace) -> None:
    """Add what maps of neighbours show of modalities and partners."""
    report.add_heading("Maps: t-SNE and UMAP")
    report.add(
        f"""{MAPPED} pairs in one map. "Own" is the share of rows whose nearest row is of their own modality, "partner"
        that of rows with their partner among the {NEIGHBOURS} nearest of all rows, and "partner across" among those of
        the other modality (by chance {NEIGHBOURS / MAPPED:.2f}), before the map (in all features) and in it.
        Trustworthiness is scikit-learn's, of {NEIGHBOURS} neighbours; 1 is best."""
    )
    maps = {}
    rows = []
    for name, (x, y) in steps.items():
        both = np.vstack([x[:MAPPED], y[:MAPPED]])
        rows.append((f"{name}: all features", *(f"{v:.3f}" for v in neighbourhood(both)), ""))
        for how, mapping in mappings().items():
            points = maps[name, how] = np.asarray(mapping.fit_transform(both))
            trust = trustworthiness(both, points, n_neighbors=NEIGHBOURS)
            rows.append((f"{name}: {how}", *(f"{v:.3f}" for v in neighbourhood(points)), f"{trust:.3f}"))
    report.add_table(("map", "own", "partner", "partner across", "trustworthiness"), rows)
    if importlib.util.find_spec("umap") is None:
        report.add("UMAP is left out: umap-learn is not installed.")
    report.add(
        """What to do: take out the mean of each modality before you map two of them. As they are, the nearest row is
        of the same modality without exception, and a map keeps nothing of the partners, which are found across in all
        features: it shows the gap. Centred, partners come near, though most rows still lie next to one of their own
        modality: the gap is more than the difference of two means. Trustworthiness does not tell the two apart, since
        neighbours within a modality are kept either way. Islands at perplexity 5 are gone at 50: compare two maps
        before you name any."""
    )
    size = (9, 9.6 * len(steps) / len(mappings()))
    report.add(drawn(options.figures, "maps", lambda figure: draw_maps(figure, maps, len(steps)), size))


def mappings() -> dict[str, Any]:
    """Return the maps that can be had."""
    found: dict[str, Any] = {f"t-SNE, {p}": TSNE(perplexity=p, random_state=0) for p in PERPLEXITIES}
    if importlib.util.find_spec("umap") is not None:
        found["UMAP"] = importlib.import_module("umap").UMAP(random_state=0)
    return found


def neighbourhood(both: np.ndarray) -> tuple[float, float, float]:
    """Return the shares of rows next to their own modality, and with their partner nearby, among all and across."""
    x, y = np.split(both, 2)
    n = len(x)
    rows = np.arange(2 * n)
    near = nearest(both, None)
    own = (near[:, 0] < n) == (rows < n)
    partner = (near == ((rows + n) % (2 * n))[:, None]).any(axis=1)
    across = np.vstack([nearest(x, y), nearest(y, x)]) == (rows % n)[:, None]
    return float(own.mean()), float(partner.mean()), float(across.any(axis=1).mean())


def nearest(x: np.ndarray, y: np.ndarray | None) -> np.ndarray:
    return np.asarray(k_nearest(x, y, k=NEIGHBOURS, metric="euclidean").indices)


def draw_maps(figure: Any, maps: dict[tuple[str, str], np.ndarray], rows: int) -> None:
    panels = figure.subplots(rows, len(maps) // rows, squeeze=False).ravel()
    for axes, (title, points) in zip(panels, maps.items(), strict=True):
        scatter(axes, points)
        axes.set(title=": ".join(title), xticks=[], yticks=[])


def drawn(stem: str | None, name: str, draw: Callable[[Any], None], size: tuple[float, float]) -> str:
    """Draw a figure into its file, and return a sentence that says so, or why not."""
    if stem is None:
        return "Not drawn: no --figures."
    if importlib.util.find_spec("matplotlib") is None:
        return "No figure: matplotlib is not installed."
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    draw(figure)
    path = Path(f"{stem}_{name}.png")
    figure.savefig(path, dpi=90)
    return f"Drawn: {path.name}."


if __name__ == "__main__":
    main()
