"""Figures of "The double-ellipsoid geometry of CLIP" beside what skgeom obtains.

The source is Levi & Gilboa 2025, arXiv:2411.14517: raw embeddings of COCO by CLIP, before they are normalised. Data
that can be had stand in: 500 pairs of COCO in CLIP ViT-B/16, of unit length; the published means and covariances of raw
ViT-L/14 embeddings; definitions and nouns of the reverse dictionary, raw; and make_double_ellipsoid, drawn to have the
published statistics.

Raw CLIP features of your own pairs give the original: --images and --texts, .npy files.
"""

from __future__ import annotations

import argparse
import importlib.util
from math import sqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.papers._inputs import (
    CLIP_FILE,
    MOMENTS_FILE,
    Moments,
    Pairs,
    arguments,
    clip_pairs,
    dictionary_pairs,
    gaussian_rows,
    missing,
    unit,
    user_pairs,
    vit_l14_moments,
)
from benchmarks.papers._markdown import Report
from skgeom.datasets import make_double_ellipsoid
from skgeom.metrics import conformity, conformity_divergence, conformity_estimate, modality_gap, modality_separability
from skgeom.multimodal import divergence_along_offset, double_ellipsoid, loss_along_offset, slerp, vslerp

# Published figures; where there are two, of images and of texts.
PROPERTIES = {
    "best features, from 1": "93, 134",
    "accuracy on the best two": "1.0",
    "squared mean radius": "57.57",
    "variance of the radii": "0.19",
    "offset ratio": "0.94 / 1.03",
    "loss minimum, α": "0",
}
SQUARED_RADIUS, RADIUS_VARIANCE = 57.57, 0.19
OFFSET_RATIOS = (0.94, 1.03)
SLOPES = (1.461, 1.411)
DIVERGENCES = {-1.0: "3", 0.9: "28"}  # read off a figure, lowest slightly left of 0

ALPHAS = np.linspace(-1, 1, 21)
SHOWN = (-1.0, -0.5, -0.1, 0.0, 0.1, 0.5, 1.0)
SHIFTS = (-1.0, -0.5, -0.1, 0.0, 0.1, 0.5, 0.9)
FINE_SHIFTS = np.linspace(-1, 0.9, 77)
CENTRES = np.array([-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
INTERPOLATED = 200


class Cloud(NamedTuple):
    """One cloud, and whether its rows are as the model gave them or of unit length."""

    name: str
    x: np.ndarray
    raw: bool


def main(argv: list[str] | None = None) -> None:
    options = parser().parse_args(argv)
    report = Report()
    report.add_heading("The double-ellipsoid geometry of CLIP")
    report.add(*(__doc__ or "").split("\n\n")[1:])
    pairs = clouds_in_pairs(options, report)
    moments = vit_l14_moments(options.data)
    if not moments:
        report.add(missing(options.data, MOMENTS_FILE))
    clouds = single_clouds(pairs, moments)
    report_properties(report, pairs, moments)
    report_conformity(report, clouds, pairs)
    report_norms(report, [c for c in clouds if c.raw])
    report_divergence(report, pairs, options.figure)
    random = clip_pairs(options.data, "clip_random", "random CLIP")
    report_losses(report, loss_curves([*pairs, *random]), options.figure)
    report_paths(report, [c for c in clouds if c.raw])
    report_centres(report, clouds)
    report.write(options.out)


def parser() -> argparse.ArgumentParser:
    p = arguments("double_ellipsoid", 'Figures of "The double-ellipsoid geometry of CLIP" beside skgeom.')
    p.add_argument(
        "--figure", metavar="FILE", help="draw the loss and the divergence along the offset, .png; needs matplotlib"
    )
    p.add_argument("--samples", type=int, default=2000, help="number of synthetic pairs")
    return p


def clouds_in_pairs(options: argparse.Namespace, report: Report) -> list[Pairs]:
    """Return all pairs that can be had."""
    clip = clip_pairs(options.data, "clip", "CLIP B/16")
    if not clip:
        report.add(missing(options.data, CLIP_FILE))
    synthetic = Pairs("synthetic", *make_double_ellipsoid(options.samples, random_state=0))
    return [
        synthetic,
        *clip,
        dictionary_pairs(1000),
        *user_pairs(options.images, options.texts),
    ]


def single_clouds(pairs: list[Pairs], moments: dict[str, Moments]) -> list[Cloud]:
    """Return the clouds one by one; of ViT-L/14, Gaussian clouds with its moments."""
    clouds = [
        Cloud(f"{p.name}, {m}", z.astype(np.float64), bool(np.ptp(np.linalg.norm(z, axis=1)) > 0.01))
        for p in pairs
        for m, z in zip(p.modalities, (p.x, p.y), strict=True)
    ]
    return [*clouds, *(Cloud(f"L/14 Gaussian, {name}", gaussian_rows(m, 2000), True) for name, m in moments.items())]


# The six properties


def report_properties(report: Report, pairs: list[Pairs], moments: dict[str, Moments]) -> None:
    """Add the table of the six properties."""
    report.add_heading("The six properties")
    report.add(PROPERTIES_LEGEND)
    columns = {p.name: described(p) for p in pairs}
    if moments:
        columns["L/14 moments"] = described_moments(moments["image"], moments["text"])
    names = next(iter(columns.values()))
    rows = [(n, PROPERTIES.get(n, ""), *(column.get(n, "") for column in columns.values())) for n in names]
    report.add_table(("statistic", "published", *columns), rows)
    report.add(*shell_verdict(pairs))
    report.add(
        """What to do: run `double_ellipsoid` on raw rows of your own model before you rely on any of this. Thin
        shells and tilted ellipsoids any encoder of many dimensions shows; what is particular to CLIP is the offset,
        the features that tell the modalities apart, and that the loss is lowest in place. all-MiniLM-L6 lacks these."""
    )


PROPERTIES_LEGEND = """
Two numbers are those of images / texts (definitions / nouns). Separation is |m - m'| / √(v + v') of the best feature.
Dominance, the mean over features of Σ|C_ij| / C_ii, is what it is because features are mixed: "if turned" is
√(2/π) d/√PR, the value of a randomly turned ellipsoid, and "by chance" that of as many rows of independent features.
Radii of ViT-L/14 follow from its covariance by the distribution of a Gaussian, var = tr C² / (2 tr C)."""


def described(pairs: Pairs) -> dict[str, str]:
    """Return the statistics of the six properties in the words of the table."""
    x, y = pairs.x, pairs.y
    found = double_ellipsoid(x, y)
    statistics = {p.name: p.statistics for p in found.properties}
    best = np.argsort(-found.separation)[:2]
    return {
        "largest separation": digits(found.separation[best[0]]),
        "best features, from 1": f"{best[0] + 1}, {best[1] + 1}",
        "accuracy on the best two": digits(modality_separability(x[:, best], y[:, best])),
        "squared mean radius": both(found.shell_mean_squares),
        "variance of the radii": both(found.shell_variances),
        "participation ratio": both(found.participation_ratios),
        "off-diagonal dominance": both(found.off_diagonal_dominances),
        "  if turned": both([turned_dominance(x.shape[1], r) for r in found.participation_ratios]),
        "  by chance": both(statistics["off-diagonal dominance"]["by chance"]),
        "offset ratio": both(found.offset_ratios),
        "loss minimum, α": digits(found.loss_minimum),
        "properties that hold": f"{sum(p.holds for p in found.properties)} of 6",
    }


def described_moments(image: Moments, text: Moments) -> dict[str, str]:
    """Return the statistics that follow from means and covariances."""
    covariances = image.covariance, text.covariance
    diagonals = [np.diag(c) for c in covariances]
    separation = np.abs(image.mean - text.mean) / np.sqrt(sum(diagonals))
    best = np.argsort(-separation)[:2]
    traces = [m.variances.sum() for m in (image, text)]
    squares = [(m.variances**2).sum() for m in (image, text)]
    variances = [f / (2 * t) for t, f in zip(traces, squares, strict=True)]
    ratios = [t**2 / f for t, f in zip(traces, squares, strict=True)]
    return {
        "largest separation": digits(separation[best[0]]),
        "best features, from 1": f"{best[0] + 1}, {best[1] + 1}",
        "squared mean radius": both([t - v for t, v in zip(traces, variances, strict=True)]),
        "variance of the radii": both(variances),
        "participation ratio": both(ratios),
        "off-diagonal dominance": both([dominance(c) for c in covariances]),
        "  if turned": both([turned_dominance(len(image.mean), r) for r in ratios]),
        "offset ratio": both(
            [float(np.linalg.norm(m.mean)) / sqrt(t) for m, t in zip((image, text), traces, strict=True)]
        ),
    }


def dominance(covariance: np.ndarray) -> float:
    """Return the mean over features of the sum of the other covariances over the variance."""
    diagonal = np.diag(covariance)
    return float(np.mean(np.abs(covariance).sum(axis=1) / diagonal - 1))


def turned_dominance(d: int, participation_ratio: float) -> float:
    """Return the dominance expected of a randomly turned ellipsoid."""
    return sqrt(2 / np.pi) * d / sqrt(participation_ratio)


def implied_participation_ratio(squared_radius: float, variance: float) -> float:
    """Return the participation ratio of the Gaussian whose radii have a given mean and variance."""
    return (squared_radius + variance) / (2 * variance)


def shell_verdict(pairs: list[Pairs]) -> list[str]:
    """Return what the published figures imply."""
    implied = implied_participation_ratio(SQUARED_RADIUS, RADIUS_VARIANCE)
    sentences = [
        f"""* A Gaussian with radii of squared mean {SQUARED_RADIUS} and variance {RADIUS_VARIANCE} has a participation
        ratio of {implied:.0f}: a thin shell is what any cloud of many dimensions shows, however isotropic.""",
        """* The source does not say whether it counts its features 93 and 134 from 0 or from 1. Which features
        separate depends on the model.""",
    ]
    for p in pairs:
        radii = [np.linalg.norm(z - z.mean(axis=0), axis=1) for z in (p.x.astype(np.float64), p.y.astype(np.float64))]
        implied_here = [implied_participation_ratio(r.mean() ** 2, r.var()) for r in radii]
        sentences.append(f"* {p.name}: its radii imply {both(implied_here)} by the same formula; measured above.")
    return sentences


# Conformity


def report_conformity(report: Report, clouds: list[Cloud], pairs: list[Pairs]) -> None:
    """Add conformity against its estimate, with both slopes."""
    report.add_heading("Conformity C against its estimate, the cosine to the mean")
    report.add(CONFORMITY_LEGEND)
    published = [
        (f"published, {m}", "", "", f"{s:.3f}?", "", "", f"{predicted_slope(r):.3f}", "", "")
        for m, s, r in zip(("image", "text"), SLOPES, OFFSET_RATIOS, strict=True)
    ]
    header = ("cloud", "r", "R", "C on cos", "nR/(n-1)", "cos on C", "by ratio", "mean C", "by R")
    report.add_table(header, [*published, *(conformity_row(c) for c in clouds)])
    report.add(*conformity_verdict(pairs))
    report.add(
        """What to do: use `conformity`, which is exact and costs what the estimate does, one pass over the rows.
        Where only the mean of a large collection is at hand, the cosine to the mean of its unit rows ranks rows
        exactly alike."""
    )


CONFORMITY_LEGEND = """
r: correlation of the two. R: mean cosine to the mean. "C on cos" and "cos on C": slopes of the regression lines, beside
what they must be: nR/(n-1), and 1/R = √(1 + 1/ratio²) by the offset ratio ‖m‖/√tr C. "By R": (nR² - 1)/(n - 1)."""


def conformity_row(cloud: Cloud) -> tuple[str, ...]:
    """Return the line of one cloud."""
    values, estimate = conformity(cloud.x), conformity_estimate(cloud.x)
    n, r = len(values), estimate.cosine.mean()
    slopes = np.polyfit(estimate.cosine, values, 1)[0], np.polyfit(values, estimate.cosine, 1)[0]
    numbers = (r, slopes[0], estimate.slope, slopes[1], predicted_slope(offset_ratio(cloud.x)))
    correlation = np.corrcoef(values, estimate.cosine)[0, 1]
    means = values.mean(), (n * r**2 - 1) / (n - 1)
    return cloud.name, f"{correlation:.6f}", *(f"{v:.3f}" for v in (*numbers, *means))


def offset_ratio(x: np.ndarray) -> float:
    """Return the length of the mean over the root of the total variance."""
    return float(np.linalg.norm(x.mean(axis=0)) / sqrt(x.var(axis=0, ddof=1).sum()))


def predicted_slope(ratio: float) -> float:
    """Return the slope of the cosine on conformity of a thin shell with a given offset ratio."""
    return sqrt(1 + 1 / ratio**2)


def conformity_verdict(pairs: list[Pairs]) -> list[str]:
    """Return which published slopes can be, and the gap that follows from the conformities."""
    ratios = [1 / predicted_slope(r) ** 2 for r in OFFSET_RATIOS]
    sentences = [
        f"""* Published: C = a cos + b with a = {SLOPES[0]} and {SLOPES[1]}, marked by ? above. The direction is
        inverted: a = nR/(n-1) with R <= 1, so no more than n/(n-1). The figures are slopes of the cosine on C, which
        the published offset ratios put at {predicted_slope(OFFSET_RATIOS[0]):.3f} and
        {predicted_slope(OFFSET_RATIOS[1]):.3f}.""",
        """* With the mean of unit rows the estimate is an identity (r = 1), not a theorem about shells; with the mean
        of raw rows it is as good as that mean is parallel to the other.""",
        f"""* Offset ratios .94 and 1.03 ask for a mean conformity of {ratios[0]:.3f} and {ratios[1]:.3f}.""",
    ]
    for p in pairs:
        means = [unit(z).mean(axis=0) for z in (p.x, p.y)]
        r, s = map(np.linalg.norm, means)
        predicted = sqrt(r**2 + s**2 - 2 * means[0] @ means[1])
        sentences.append(f"* {p.name}: gap {modality_gap(p.x, p.y):.4f}; √(R² + S² - 2RS cos) = {predicted:.4f}.")
    return sentences


def report_norms(report: Report, clouds: list[Cloud]) -> None:
    """Add the correlation of lengths with conformities."""
    report.add_heading("Conformity and length")
    report.add(norms_legend())
    rows = [(c.name, *(f"{v:.3f}" for v in length_statistics(c.x))) for c in clouds]
    report.add_table(("raw rows", "corr(C, ‖x‖)", "s_m", "s_r/ratio", "std C"), rows)
    report.add(
        """What to do: do not read rarity off the length of a row. The sign depends on the cloud; conformity itself is
        as cheap."""
    )


def norms_legend() -> str:
    """Return when lengths fall with conformity."""
    s_r = sqrt(RADIUS_VARIANCE / SQUARED_RADIUS)
    bounds = [s_r / ratio for ratio in OFFSET_RATIOS]
    spreads = [s_r * r * (1 - r**2) for r in (1 / predicted_slope(ratio) for ratio in OFFSET_RATIOS)]
    return f"""Published: rare inputs, of low C, are longer. This does not follow from the other properties. With the
    spread s_m along the mean, over ‖m‖, and the spread s_r of the radii, over their mean, the two independent,
    cov(C, ‖x‖) has to first order the sign of s_m - s_r/ratio. With the published figures it is negative for s_m
    below {bounds[0]:.3f} and {bounds[1]:.3f} only; but at that bound the spread of C is {spreads[0]:.3f} and
    {spreads[1]:.3f}, half of what CLIP has or less."""


def length_statistics(x: np.ndarray) -> tuple[float, float, float, float]:
    """Return corr(C, ‖x‖), the relative spread along the mean, its bound s_r/ratio, and the spread of C."""
    values, mean = conformity(x), x.mean(axis=0)
    radii = np.linalg.norm(x - mean, axis=1)
    correlation = np.corrcoef(values, np.linalg.norm(x, axis=1))[0, 1]
    along = (x @ mean).std() / (mean @ mean)
    return float(correlation), float(along), float(radii.std() / radii.mean()) / offset_ratio(x), float(values.std())


# Divergence of conformities


def report_divergence(report: Report, pairs: list[Pairs], figure: str | None) -> None:
    """Add the divergences in place, and along shifts of one or both clouds."""
    report.add_heading("Kullback-Leibler divergence of the conformities")
    report.add(DIVERGENCE_LEGEND)
    rows = [(p.name, *(digits(v) for v in divergences(p))) for p in pairs]
    report.add_table(("in place", "normal, X of Y", "normal, Y of X", "histogram, X of Y", "histogram, Y of X"), rows)
    sweep = [("published (figure)", *(DIVERGENCES.get(a, "") for a in SHIFTS), "0")]
    curves = {}
    for p in pairs:
        for move in ("X", "Y", "both"):
            values = divergence_along_offset(p.x, p.y, SHIFTS, move=move)
            curve = curves[f"{p.name}, {move}"] = divergence_along_offset(p.x, p.y, FINE_SHIFTS, move=move)
            sweep.append((f"{p.name}, {move} shifted", *map(digits, values), smallest(curve)))
    report.add_table(("normal, X of Y, at α", *map(str, SHIFTS), "smallest"), sweep)
    if figure:
        path = Path(figure)
        report.add(draw_divergences(curves, str(path.with_stem(f"{path.stem}_divergence"))))
    moved = 1 - OFFSET_RATIOS[1] / OFFSET_RATIOS[0]
    report.add(
        """* The published curve has its minimum near 0 and rises to both sides: one cloud was shifted, while the loss
        was computed with both shifted. Shifting both makes the conformities of both vanish together.""",
        f"""* The minimum need not be at 0: the conformities match where the offset ratios do, for images shifted
        alone at α = 1 - 1.03/.94 = {moved:.2f}.""",
        """* The page of the project says that the divergence reaches its maximum in place; text and figure say
        minimum.""",
    )
    report.add(
        """What to do: sweep one cloud, and read where the minimum is, not that there is one. A minimum at 0 says that
        the two clouds conform alike as they are, a minimum elsewhere by how much one mean is too long for the other.
        A sweep of both says nothing: at α = 1 no cloud has a mean, and all conformities are 0."""
    )


DIVERGENCE_LEGEND = """
X are images (definitions), Y texts (nouns); "X of Y" is KL(X ‖ Y). The source states neither direction nor
estimator."""


def divergences(pairs: Pairs) -> list[float]:
    """Return both directions by both estimators."""
    return [
        conformity_divergence(*clouds, method=method)
        for method in ("gaussian", "histogram")
        for clouds in ((pairs.x, pairs.y), (pairs.y, pairs.x))
    ]


def smallest(curve: np.ndarray) -> str:
    """Return the smallest divergence and where it is, or that it is at an end of the sweep."""
    i = int(curve.argmin())
    where = "the end" if i in (0, curve.size - 1) else f"{FINE_SHIFTS[i]:z.3f}"
    return f"{curve[i]:.3f} at {where}"


def draw_divergences(curves: dict[str, np.ndarray], path: str) -> str:
    """Draw the divergences along the shifts, and return a sentence that says so."""
    if importlib.util.find_spec("matplotlib") is None:
        return "No figure: matplotlib is not installed."
    from matplotlib.figure import Figure

    axes = (figure := Figure(figsize=(7, 4), layout="constrained")).subplots()
    for name, values in curves.items():
        axes.semilogy(FINE_SHIFTS, values, label=name, linestyle="--" if name.endswith("both") else "-")
    axes.set(xlabel="α", ylabel="KL of conformities", title="Divergence along the offset")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", title="pairs, shifted")
    figure.savefig(path, dpi=100)
    return f"Drawn: {Path(path).name}."


# Loss along the offset


def loss_curves(all_pairs: list[Pairs]) -> dict[str, np.ndarray]:
    """Return the loss at each α by name and batch size."""
    curves = {}
    for p in all_pairs:
        n = len(p.x)
        sizes = sorted({min(size, n) for size in ((128, 500, 2000) if p.name == "synthetic" else (500,))})
        for size in sizes:
            curves[f"{p.name}, {size}"] = loss_along_offset(p.x, p.y, ALPHAS, batch_size=size)
    return curves


def report_losses(report: Report, curves: dict[str, np.ndarray], figure: str | None) -> None:
    """Add the loss along the offset, and draw it."""
    report.add_heading("Contrastive loss along the offset, both clouds shifted by -α of their means")
    report.add(LOSS_LEGEND)
    at = [int(np.argmin(np.abs(ALPHAS - a))) for a in SHOWN]
    rows = [(name, *(f"{losses[i]:.3f}" for i in at), minimum(losses)) for name, losses in curves.items()]
    report.add_table(("pairs, batch", *map(str, SHOWN), "minimum at"), [("published", *[""] * len(SHOWN), "0"), *rows])
    report.add(
        """What to do: leave the offset of a contrastive model where it is, if cosines at its temperature are what you
        use: for CLIP the loss is lowest within .03 of it. Of clouds that no contrastive loss has placed, the sweep
        says nothing of the kind."""
    )
    if figure:
        report.add(draw(curves, figure))


LOSS_LEGEND = """
NT-Xent at temperature .01, which the source does not state: where the minimum lies depends on it, since a shift scales
the cosines as a temperature does. The minimum is the vertex of the parabola through the smallest loss and its
neighbours."""


def minimum(losses: np.ndarray) -> str:
    """Return where the loss is least, or that it is at an end."""
    i = int(losses.argmin())
    if i in (0, losses.size - 1):
        return f"end, {ALPHAS[i]:.0f}"
    before, least, after = losses[i - 1 : i + 2]
    step = ALPHAS[1] - ALPHAS[0]
    return f"{ALPHAS[i] + step * (before - after) / (2 * (before - 2 * least + after)):z.2f}"


def draw(curves: dict[str, np.ndarray], path: str) -> str:
    """Draw the losses above their minimum, and return a sentence that names the file."""
    if importlib.util.find_spec("matplotlib") is None:
        return "No figure: matplotlib is not installed."
    from matplotlib.figure import Figure

    axes = (figure := Figure(figsize=(4.8, 3.6), layout="constrained")).subplots()
    for (name, losses), marker in zip(curves.items(), "os^DvX", strict=False):  # told apart without colour
        axes.plot(ALPHAS, losses - losses.min(), label=name, marker=marker, markersize=5, markevery=4)
    axes.set(xlabel="shift α along the offset", ylabel="loss above its minimum")
    axes.legend(title="pairs, batch size", fontsize="small", frameon=False)
    figure.savefig(path, dpi=192)
    return f"Drawn: {Path(path).name}."


# Paths


def report_paths(report: Report, clouds: list[Cloud]) -> None:
    """Add the lengths halfway along each path."""
    report.add_heading("vSLERP: halfway between two rows")
    report.add(PATHS_LEGEND)
    columns = [halfway(c.x) for c in clouds]
    rows = [(name, *(column[name] for column in columns)) for name in columns[0]]
    half = (len(clouds) + 1) // 2
    for part in (slice(half), slice(half, None)):
        report.add_table(("length / radius", *(c.name for c in clouds[part])), [(r[0], *r[1:][part]) for r in rows])
    report.add(
        """What to do: use `vslerp` of skgeom. The published code is right by accident around the mean, where rows are
        nearly orthogonal, and wrong around the origin, where it lengthens by a fifth."""
    )


PATHS_LEGEND = f"""
Mean length and mean distance to the mean of the points halfway between {INTERPOLATED} pairs of rows. vSLERP keeps the
distance to the mean that the ends have. "As coded" takes the arccosine of the product feature by feature, without the
sum of the scalar product, as the published code does: it follows no arc, its points are close to (a + b)/√2 around
the centre."""


def report_centres(report: Report, clouds: list[Cloud]) -> None:
    """Add conformity and length halfway, for centres from the far side of the origin to beyond the mean."""
    report.add_heading("vSLERP: which centre")
    report.add(
        f"""Points halfway between {INTERPOLATED // 2} pairs of rows around the centre α m, for α from -1 to 3 as in the
        source, which shows pictures: mean conformity to the cloud, and in brackets mean length over that of the ends.
        0 is SLERP, 1 the mean of the cloud."""
    )
    rows = [(c.name, f"{conformity(c.x).mean():.3f}", *centred_paths(c.x)) for c in clouds]
    report.add_table(("cloud", "its rows", *(f"α = {a:g}" for a in CENTRES)), rows)
    report.add(
        """What to do: interpolate around the mean, α = 1, if what comes out is to be as typical as what went in: there
        conformity and length are those of the rows, in each cloud with an offset. SLERP around the origin makes points
        that are too typical, and α beyond 1 ones that are too short. Whether a decoder makes better pictures of them
        cannot be said from embeddings."""
    )


def centred_paths(x: np.ndarray) -> list[str]:
    """Return conformity and relative length halfway between rows, for each centre."""
    order = np.random.default_rng(0).permutation(len(x))
    a, b = np.split(x[order[:INTERPOLATED]], 2)
    lengths = np.linalg.norm(np.vstack([a, b]), axis=1).mean()
    return [
        f"{conformity(z, reference=x).mean():.3f} ({np.linalg.norm(z, axis=1).mean() / lengths:.2f})"
        for z in vslerp(a, b, 0.5, x.mean(axis=0), CENTRES)
    ]


def halfway(x: np.ndarray) -> dict[str, str]:
    """Return length and radius halfway along each path between rows drawn at random."""
    mean = x.mean(axis=0)
    order = np.random.default_rng(0).permutation(len(x))
    count = min(INTERPOLATED, len(x) // 2)
    a, b = x[order[:count]], x[order[count : 2 * count]]
    points = {
        "the ends": np.vstack([a, b]),
        "straight line": (a + b) / 2,
        "SLERP": slerp(a, b, 0.5),
        "SLERP, as coded": as_coded(a, b),
        "vSLERP, α = 1": vslerp(a, b, 0.5, mean),
        "vSLERP, as coded": as_coded(a - mean, b - mean) + mean,
    }
    return {
        name: both([np.linalg.norm(z, axis=1).mean(), np.linalg.norm(z - mean, axis=1).mean()])
        for name, z in points.items()
    }


def as_coded(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the point halfway by the published code, which has an angle for each feature."""
    angles = np.arccos(unit(a) * unit(b))
    return np.sin(angles / 2) / np.sin(angles) * (a + b)


def digits(value: float) -> str:
    """Return a number with three significant digits."""
    return f"{value:.3g}"


def both(values: tuple[float, ...] | list[float]) -> str:
    """Return two numbers in a cell."""
    return " / ".join(map(digits, values))


if __name__ == "__main__":
    main()
