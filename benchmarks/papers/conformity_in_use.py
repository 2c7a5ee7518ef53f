"""Two uses of conformity: what it says of generators, and of false negatives.

The source is Levi & Gilboa 2025, arXiv:2411.14517, which ranks generators of images and captions by conformity and
explains the offset of CLIP by false negatives. Its generators (GLIDE, unCLIP, ClipCap and one rewarded for captions)
cannot be had. Generators whose faults are known by construction stand in, of the definitions of the reverse dictionary
and of images in CLIP ViT-B/16.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import spearmanr

from benchmarks.papers._inputs import CLIP_FILE, Pairs, arguments, clip_pairs, dictionary_pairs, missing, user_pairs
from benchmarks.papers._markdown import Report
from benchmarks.papers.multimodal_maps import drawn
from skgeom.metrics import conformity, conformity_divergence, effective_rank, k_nearest

REPEATED = 40
QUARTERS = 4


def main(argv: list[str] | None = None) -> None:
    parser = arguments("conformity_in_use", "What conformity says of generators and of false negatives.")
    parser.add_argument("--figures", metavar="STEM", help="draw STEM_negatives.png; needs matplotlib")
    options = parser.parse_args(argv)
    report = Report()
    report.add_heading("The double-ellipsoid geometry of CLIP: conformity in use")
    report.add(*(__doc__ or "").split("\n\n")[1:])
    clip = clip_pairs(options.data, "clip", "CLIP B/16")
    if not clip:
        report.add(missing(options.data, CLIP_FILE))
    yours = user_pairs(options.images, options.texts)
    report_generators(report, [dictionary_pairs(), *clip, *yours])
    report_negatives(report, [*clip, *yours, dictionary_pairs(500)], options.figures)
    report.write(options.out)


# Generators


def report_generators(report: Report, all_pairs: list[Pairs]) -> None:
    """Add conformities of constructed generators, and what does and does not see their faults."""
    report.add_heading("Generators")
    report.add(
        f"""Real rows are split in three: a reference, to which all conform; rows that a generator starts from; and real
        rows to compare with. Mean conformity to the reference; KL of these conformities from those of the real rows
        (normal, and by histograms of 20 bins); mean conformity within the generated rows; their effective rank over
        that of as many real ones; and the share of generated rows whose nearest other one is a copy (distance below
        1e-6). "{REPEATED} rows" repeats so many of them, a collapsed generator."""
    )
    for p in all_pairs:
        reference, start, real = np.array_split(np.random.default_rng(0).permutation(p.x.astype(np.float64)), 3)
        sets = {"real": real, **generators(start), f"{p.modalities[1]}s": p.y[: len(real)].astype(np.float64)}
        rows = [(name, *judged(z, real, reference)) for name, z in sets.items()]
        header = (f"{p.name}, {p.modalities[0]}s", "C to real", "KL", "KL, bins", "C within", "rank, share", "copies")
        report.add_table(header, rows)
    report.add(
        f"""What to do: never judge a generator by conformity alone. It sees averages, which are too typical, and rows
        that are pushed out or come from elsewhere. It does not see a generator that has collapsed on {REPEATED} rows,
        nor one that draws from a Gaussian with the right mean and covariance: both pass within what real rows differ
        by. Look at the conformity within, at the effective rank and at copies, too; the Gaussian passes these as
        well, since all of them know moments only."""
    )


def generators(x: np.ndarray) -> dict[str, np.ndarray]:
    """Return rows by generators with known faults, which start from real rows."""
    rng, mean = np.random.default_rng(1), x.mean(axis=0)
    draws = rng.integers(len(x), size=(len(x), 3))
    return {
        "means of three": x[draws].mean(axis=1),
        "halfway to the mean": (x + mean) / 2,
        "pushed out by half": mean + 1.5 * (x - mean),
        "Gaussian": rng.multivariate_normal(mean, np.cov(x.T), size=len(x), method="eigh"),
        f"{REPEATED} rows": x[rng.integers(REPEATED, size=len(x))],
    }


def judged(z: np.ndarray, real: np.ndarray, reference: np.ndarray) -> list[str]:
    """Return the line of one generator."""
    divergences = (
        conformity_divergence(z, real, reference=reference),
        conformity_divergence(z, real, reference=reference, method="histogram", bins=20),
    )
    nearest = np.asarray(k_nearest(z, k=1, metric="euclidean").distances)
    numbers = conformity(z, reference=reference).mean(), *divergences, conformity(z).mean()
    share = effective_rank(z) / effective_rank(real)
    return [*(f"{v:.3f}" for v in numbers), f"{share:.2f}", f"{(nearest < 1e-6).mean():.2f}"]


# False negatives


def report_negatives(report: Report, all_pairs: list[Pairs], figures: str | None) -> None:
    """Add how many negatives outrank the partner, by the distance to the mean."""
    report.add_heading("False negatives, and contrast, by the distance to the mean")
    report.add(
        """Rows in quarters by their conformity, from those far from the mean to those near it. "Above" is the share of
        the rows of the other modality that are nearer than the partner, and so false or hard negatives. "Spread" is the
        standard deviation of the cosines to them, "spread within" that to the rows of the own modality, "margin" the
        cosine of the partner less the mean of the others, and "contrast" the margin over the spread. ρ is Spearman's
        correlation with conformity over all rows."""
    )
    rows, curves = [], {}
    for p in all_pairs:
        for name, x, y in ((p.modalities[0], p.x, p.y), (p.modalities[1], p.y, p.x)):
            values, statistics = conformity(x), contrasts(x, y)
            order = np.array_split(np.argsort(values), QUARTERS)
            for title, found in statistics.items():
                quarters = [float(found[rows_of].mean()) for rows_of in order]
                rho = spearmanr(values, found).statistic
                rows.append((f"{p.name}, {name}s: {title}", *(f"{v:.4f}" for v in quarters), f"{rho:.2f}"))
            curves[f"{p.name}, {name}s"] = [float(statistics["above"][r].mean()) for r in order]
    report.add_table(("rows", "far", "second", "third", "near", "ρ"), rows)
    report.add(
        """What to do: expect hard negatives among typical rows of CLIP, and weigh or mine negatives by conformity:
        near the mean more of the others outrank the partner, on both sides. Of the nouns, which no contrastive loss
        has placed beside their definitions, this does not hold. "Sharp contrast far from the mean" depends on the
        word. Cosines do not spread more there, but less, within each modality by a quarter or more and across for
        images; what stands out more there is the partner, in units of this smaller spread."""
    )
    report.add(drawn(figures, "negatives", lambda figure: draw_negatives(figure, curves), (6, 4)))


def contrasts(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Return for each row the share of others above its partner, the spread of their cosines, and the contrast."""
    x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x.astype(np.float64), y.astype(np.float64)))
    products = x @ y.T
    partners = np.diag(products).copy()
    others = off_diagonal(products)
    spread = others.std(axis=1)
    margin = partners - others.mean(axis=1)
    return {
        "above": (others > partners[:, None]).mean(axis=1),
        "spread": spread,
        "spread within": off_diagonal(x @ x.T).std(axis=1),
        "margin": margin,
        "contrast": margin / spread,
    }


def off_diagonal(products: np.ndarray) -> np.ndarray:
    """Return the rows of a square matrix, each without its diagonal entry."""
    return products[~np.eye(len(products), dtype=bool)].reshape(len(products), -1)


def draw_negatives(figure: Any, curves: dict[str, list[float]]) -> None:
    axes = figure.subplots()
    for name, values in curves.items():
        axes.semilogy(range(1, QUARTERS + 1), values, "o-", label=name)
    axes.set(
        xticks=range(1, QUARTERS + 1), xlabel="quarter by conformity, far to near", ylabel="share above the partner"
    )
    axes.legend(fontsize="small")


if __name__ == "__main__":
    main()
