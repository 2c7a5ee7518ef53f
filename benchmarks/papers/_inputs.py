"""What the scripts work on: paired data that can be had, moments, files of the user, and how to ask for them."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skgeom.datasets import load_reverse_dictionary

CLIP_FILE = "modality_gap_pairs.npz"
MOMENTS_FILE = "clip_vitl14_whitening.npz"
TRANSLATIONS_FILE = "stsb_parallel_minilm.npz"
QUESTIONS_FILE = "trec_minilm.npz"
LANGUAGES = {"de": "German", "es": "Spanish", "fr": "French", "it": "Italian"}


class Pairs(NamedTuple):
    """Two clouds whose rows belong together, and the names of the two modalities."""

    name: str
    x: np.ndarray
    y: np.ndarray
    modalities: tuple[str, str] = ("image", "text")


class Labelled(NamedTuple):
    """Rows with their classes, for training and held out; classes are numbers from 0."""

    name: str
    x: np.ndarray
    c: np.ndarray
    test: np.ndarray
    test_c: np.ndarray


class Moments(NamedTuple):
    """Mean, variances along the principal axes and the axes (in columns) of one cloud."""

    mean: np.ndarray
    variances: np.ndarray
    axes: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        """The covariance matrix."""
        return self.axes * self.variances @ self.axes.T


def arguments(script: str, description: str) -> argparse.ArgumentParser:
    """Return the command line that both scripts have in common."""
    p = argparse.ArgumentParser(prog=f"python -m benchmarks.papers.{script}", description=description)
    p.add_argument("--data", default=os.environ.get("SKGEOM_DATA"), help=f"folder of {CLIP_FILE} and {MOMENTS_FILE}")
    p.add_argument("--images", metavar="FILE", help="your image features, .npy (n, d), as for COCO")
    p.add_argument("--texts", metavar="FILE", help="your text features, .npy (n, d): row k belongs to row k of images")
    p.add_argument("--out", metavar="FILE", help="write the tables to this file, too")
    return p


def clip_pairs(folder: str | None, key: str, name: str, modalities: tuple[str, str] = ("image", "text")) -> list[Pairs]:
    """Return one of the published sets of pairs, or nothing where the file is not there."""
    path = found(folder, CLIP_FILE)
    if path is None:
        return []
    with np.load(path) as stored:
        x, y = stored[key]
    return [Pairs(name, x, y, modalities)]


def vit_l14_moments(folder: str | None) -> dict[str, Moments]:
    """Return the moments of raw ViT-L/14 embeddings of images and texts, or nothing where the file is not there.

    The file has W = V diag(λ^-1/2), so λ_k = 1/‖w_k‖²: W itself must not be inverted, since the text
    side does not have full rank.
    """
    path = found(folder, MOMENTS_FILE)
    if path is None:
        return {}
    moments = {}
    with np.load(path) as stored:
        for modality in ("image", "text"):
            w = stored[f"W_{modality}"].astype(np.float64)
            lengths = np.linalg.norm(w, axis=0)
            moments[modality] = Moments(stored[f"mean_{modality}"].astype(np.float64), lengths**-2.0, w / lengths)
    return moments


def gaussian_rows(moments: Moments, n: int) -> np.ndarray:
    """Draw rows of a Gaussian cloud with given moments."""
    z = np.random.default_rng(0).standard_normal((n, moments.variances.size))
    return moments.mean + z * np.sqrt(moments.variances) @ moments.axes.T


def dictionary_pairs(n: int | None = None) -> Pairs:
    """Return definitions and nouns of the reverse dictionary, n of them drawn at random; raw, not of unit length."""
    nouns = load_reverse_dictionary()
    rows = np.random.default_rng(0).permutation(len(nouns.data))[:n]
    return Pairs("dictionary", nouns.data[rows], nouns.lemma[rows], ("definition", "noun"))


def translations(folder: str | None) -> list[Pairs]:
    """Return sentences in another language and in English, raw, for each language, or nothing without the file."""
    path = found(folder, TRANSLATIONS_FILE)
    if path is None:
        return []
    with np.load(path) as stored:
        clouds = {code: stored[f"X_{code}"].astype(np.float32) for code in ("en", *LANGUAGES)}
    return [Pairs("MiniLM", clouds[code], clouds["en"], (name, "English")) for code, name in LANGUAGES.items()]


def questions(folder: str | None) -> list[Labelled]:
    """Return the questions of TREC with their coarse and fine classes, official test rows, or nothing without them."""
    path = found(folder, QUESTIONS_FILE)
    if path is None:
        return []
    with np.load(path) as stored:
        x, coarse, fine, held_out = (stored[name] for name in ("X_raw", "y", "y_fine", "split"))
    return [large_classes(name, unit(x), c, held_out == 0) for name, c in (("TREC", coarse), ("TREC, fine", fine))]


def large_classes(name: str, x: np.ndarray, c: np.ndarray, is_train: np.ndarray) -> Labelled:
    """Return the rows of classes that have at least 17 training rows, so that 16 can be drawn of each."""
    large = np.flatnonzero(np.bincount(c[is_train]) > 16)
    kept = np.isin(c, large)
    codes, train, test = np.searchsorted(large, c), kept & is_train, kept & ~is_train
    return Labelled(f"{name} ({len(large)} classes)", x[train], codes[train], x[test], codes[test])


def user_pairs(images: str | None, texts: str | None) -> list[Pairs]:
    """Return the pairs in the files of the user, or nothing without them."""
    if images is None and texts is None:
        return []
    if images is None or texts is None:
        raise SystemExit("--images and --texts come together: expected two files, got one.")
    x, y = np.load(images), np.load(texts)
    if x.shape != y.shape or x.ndim != 2:
        raise SystemExit(f"Expected paired features of one shape (n, d), got {x.shape} and {y.shape}.")
    return [Pairs("your pairs", x, y)]


def labels(path: str, rows: int, classes: int) -> np.ndarray:
    """Return the classes in a file, checked against the rows that they belong to and the number of classes."""
    c = np.load(path)
    if c.shape != (rows,) or c.dtype.kind not in "iu" or not 0 <= c.min() <= c.max() < classes:
        raise SystemExit(f"{path}: expected {rows} integers from 0 to {classes - 1}, one for each image.")
    return c


def found(folder: str | None, name: str) -> Path | None:
    """Return the path of a file in a folder, or None if there is none."""
    path = Path(folder or "") / name
    return path if folder and path.exists() else None


def unit(x: np.ndarray) -> np.ndarray:
    """Return rows of length one, in float64."""
    x = x.astype(np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def missing(folder: str | None, name: str) -> str:
    """Return the sentence that says that a file is not there."""
    return f"Skipped: no {name} in {folder or 'a folder named by --data or SKGEOM_DATA'}."
