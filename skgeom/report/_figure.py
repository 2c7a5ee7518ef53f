"""The pictures of a report, drawn by `skgeom.inspection`: side by side in a figure, or one by one as SVG."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import StringIO
from typing import Any, NamedTuple
from xml.etree import ElementTree
from zlib import crc32

import numpy as np

from skgeom._warnings import silenced
from skgeom.inspection import (
    ConformityDisplay,
    HubDisplay,
    OffsetDisplay,
    SilhouetteDisplay,
    SimilarityDisplay,
    SpaceDisplay,
    SpectrumDisplay,
    WhiteningPathDisplay,
)
from skgeom.inspection._display import BLUE, GREEN, GREY, INK, ORANGE, PALE, PURPLE, VERMILION, styled
from skgeom.metrics import silhouette_samples
from skgeom.model_selection import Judgement
from skgeom.report._card import CLASSES, COSINES, PAIRS, SPREAD, short_class
from skgeom.report._space import SEED, Space, sampled
from skgeom.report._text import printable

_PANEL = (5.2, 3.7)
_HEAD = 0.3
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.9, 0.15, 0.6, 0.4
"""Margins of a panel, in inches: a layout that looks for them takes longer than all else in the figure."""

_MAX_NEIGHBOUR_ROWS = 5_000
_MAX_OFFSET_ROWS = 1_000
"""Rows of which all pairs are looked at for a picture; of a larger space, a sample."""

_MAX_BARS = 40
"""Classes whose names have room beside their bars."""

_CLASS_HEIGHT = 0.22

COLORS = {
    "ink": INK,
    "grey": GREY,
    "pale": PALE,
    "blue": BLUE,
    "orange": ORANGE,
    "green": GREEN,
    "vermilion": VERMILION,
    "purple": PURPLE,
    "paper": "#ffffff",
}
"""Colours of the pictures by name: an SVG has the names, so that a page can have others in the dark."""

_VARIABLES = {color: f"var(--{name})" for name, color in COLORS.items()}
_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
_COLOR, _FAMILY, _DECIMALS = map(re.compile, (r"#[0-9a-f]{6}\b", r"font-family:[^;]+;?", r"(\.\d\d)\d+"))
_TARGET = re.compile(r"url\(#(\w+)\)(?:; fill-opacity: [\d.]+)?")


class Picture(NamedTuple):
    """A picture, its caption, and the section of the card or the task of the judge to which it belongs."""

    part: str
    title: str
    caption: str
    plot: Callable[..., Any]
    height: float = _PANEL[1]
    n_axes: int = 1


def pictures(space: Space, judgements: Sequence[Judgement]) -> Iterator[Picture]:
    """Yield the pictures of a space and of judgements; each is computed when it is plotted."""
    if space.rank:
        yield _spectrum(space)
    yield _conformity(space)
    yield from _of_rows(space)
    if space.labels is not None:
        yield from _of_classes(space)
    if space.pair is not None:
        yield from _of_pairs(space, space.pair)
    yield from map(_judged, judgements)


def draw(space: Space, judgements: Sequence[Judgement]) -> Any:
    """Draw a space: spectrum, conformity and, for each judge, the score against the number of columns.

    Parameters
    ----------
    space : Space
        The space.
    judgements : sequence of Judgement
        The judgements; it may be empty.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, without a window.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    panels = [*([_spectrum(space)] if space.rank else []), _conformity(space), *map(_judged, judgements)]
    n_columns = 2 if len(panels) % 2 == 0 else len(panels)
    n_lines = len(panels) // n_columns
    width, height = _PANEL[0] * n_columns, _PANEL[1] * n_lines + _HEAD
    with styled():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width, height))
        head = {"x": 0.1 / width, "y": 1 - 0.1 / height, "ha": "left", "va": "top", "fontsize": 11, "color": GREY}
        figure.suptitle(_plain(space.title), **head)
        for i, panel in enumerate(panels):
            axes = figure.add_axes(_place(i, n_columns, width, height))
            panel.plot(ax=axes)
            axes.set_title(panel.title, loc="left", fontsize=10.5, fontweight="bold")
            axes.legend(loc="best")
    return figure


def svg(picture: Picture, number: int) -> str:
    """Draw a picture as an SVG element for a page.

    Parameters
    ----------
    picture : Picture
        The picture.
    number : int
        Number of the picture on the page. Its ids begin with it and with a checksum, so that they differ from those of
        other pages.

    Returns
    -------
    str
        The element. Its text uses the font of the page, and its colours are the variables named in `COLORS`.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    with styled(), silenced("Glyph .* missing from font"):  # the fonts of the page may have it
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        with rc_context({"svg.fonttype": "none", "svg.hashsalt": "skgeom"}):
            figure = Figure(figsize=(_PANEL[0], picture.height), layout="constrained")
            picture.plot(ax=figure.subplots(picture.n_axes, sharex=True))
            file = StringIO()
            figure.savefig(file, format="svg", transparent=True, dpi=144, metadata={"Date": None})
    text = file.getvalue()
    return _inline(text, f"p{number}-{crc32(text.encode()):x}-", f"{picture.title}. {picture.caption}")


def _inline(text: str, prefix: str, label: str) -> str:
    """Return an SVG file as an element of a page: no metadata, no style sheet, ids that are used, with a prefix."""
    root = ElementTree.fromstring(text)
    for child in [one for one in root if one.tag == f"{_SVG}metadata" or one.find(f"{_SVG}style") is not None]:
        root.remove(child)
    for pattern in root.iter(f"{_SVG}pattern"):  # matplotlib gives the hatches the opacity that only the ground has
        opacity = re.search(rf"url\(#{pattern.attrib['id']}\); fill-opacity: ([\d.]+)", text)
        pattern[0].set("style", f"fill: {pattern[0].attrib.pop('fill')}; fill-opacity: {opacity[1] if opacity else 1}")
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', text))
    for one in root.iter():
        one.tag = one.tag.removeprefix(_SVG)
        one.text, one.tail = ((part or "").strip("\n ") for part in (one.text, one.tail))
        given = one.attrib
        one.attrib = {name.removeprefix(_XLINK): _attribute(name, value, prefix) for name, value in given.items()}
        if given.get("id") not in used:
            one.attrib.pop("id", None)
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": label}
    return ElementTree.tostring(root, encoding="unicode")


def _attribute(name: str, value: str, prefix: str) -> str:
    match name.removeprefix(_XLINK):
        case "id":
            return prefix + value
        case "href":
            return f"#{prefix}{value[1:]}" if value.startswith("#") else value
        case "clip-path" | "style":
            colored = _COLOR.sub(lambda found: _VARIABLES.get(found[0], found[0]), _FAMILY.sub("", value))
            return _TARGET.sub(rf"url(#{prefix}\1)", colored)
        case "d" | "x" | "y" | "transform":
            return _DECIMALS.sub(r"\1", " ".join(value.split()))
    return value


def _spectrum(space: Space) -> Picture:
    title = f"Spectrum: {space.rank} directions"
    caption = "Share of the variance in each principal direction. Dashed: an isotropic cloud of as many rows."
    return Picture(SPREAD, title, caption, partial(SpectrumDisplay.from_embedding, space.cloud))


def _conformity(space: Space) -> Picture:
    caption = "Mean cosine of each row to all others: common rows to the right, rare ones to the left."
    return Picture(COSINES, "Conformity of the rows", caption, lambda ax: ConformityDisplay(space.conformity).plot(ax))


def _of_rows(space: Space) -> Iterator[Picture]:
    rows = space.directed_cloud.X
    if rows.shape[1] > 1:
        caption = (
            "Unit rows in the plane of their first two singular directions, with the origin. "
            "A long arrow to the mean is a narrow cone."
        )
        yield Picture(COSINES, "The cone", caption, partial(SpaceDisplay.from_embedding, rows, normalize=True))
    sample = rows[sampled(np.arange(len(rows)), _MAX_NEIGHBOUR_ROWS)]
    of = "" if len(sample) == len(rows) else f" Of {len(sample):,} sampled rows."
    caption = f"Share of the rows that are among the nearest of at least so many others: hubs make the tail.{of}"
    yield Picture(COSINES, "Hubs", caption, partial(HubDisplay.from_embedding, sample))


def _of_classes(space: Space) -> Iterator[Picture]:
    rows, labels = space.classified
    names, codes = np.unique(labels, return_inverse=True)
    if names.size > _MAX_BARS or names.size == len(rows) or not rows.any(axis=1).all():
        return
    caption = (
        "Of each row by cosine, in descending order: hatched bars are rows nearer to another class than to their own."
    )

    def plot(ax: Any) -> Any:
        values = silhouette_samples(rows, codes, metric="cosine")
        display = SilhouetteDisplay(values, codes, names=[_plain(short_class(str(name))) for name in names]).plot(ax)
        for bars in (*display.bars_, *display.negative_):
            bars.set_rasterized(True)
        return display

    height = max(_PANEL[1], 0.9 + _CLASS_HEIGHT * names.size)
    yield Picture(CLASSES, "Silhouettes by class", caption, plot, height)


def _of_pairs(space: Space, pair: np.ndarray) -> Iterator[Picture]:
    both = space.directed_pairs
    x, y = (rows[both] for rows in (space.cloud.X, pair))
    if both.size < 2 or x.shape[1] < 2:
        return
    caption = "Unit rows of both spaces in one plane: the dotted line between the means is the gap."
    plot: Callable[..., Any] = partial(SpaceDisplay.from_embedding, x, y, normalize=True, names=["x", "pair"])
    yield Picture(PAIRS, "The two clouds", caption, plot)
    caption = "Cosines of partners and of other pairs. Where they overlap, no threshold separates them."
    plot = partial(SimilarityDisplay.from_embedding, x, y, random_state=SEED)
    yield Picture(PAIRS, "Matching and other pairs", caption, plot)
    some = sampled(np.arange(both.size), _MAX_OFFSET_ROWS)
    of = "" if some.size == both.size else f" Of {some.size:,} sampled pairs."
    caption = (
        f"Contrastive loss (temperature 0.01) and divergence of the conformities as both move along their means.{of}"
    )
    plot = partial(OffsetDisplay.from_embedding, x[some], y[some])
    yield Picture(PAIRS, "Shifted along the means", caption, plot, n_axes=2)


def _judged(judgement: Judgement) -> Picture:
    caption = (
        "Score on held-out rows against the columns a whitening keeps. A band that excludes the dashed line, "
        "the rows as they are, is a measurable difference."
    )
    plot = partial(WhiteningPathDisplay.from_judgement, judgement)
    return Picture(judgement.task, f"Held out: {judgement.task}", caption, plot)


def _plain(text: str) -> str:
    """Return text with dollars escaped, which would begin a formula in matplotlib."""
    return printable(text).replace("$", r"\$")


def _place(i: int, n_columns: int, width: float, height: float) -> tuple[float, float, float, float]:
    """Return left, bottom, width and height of the axes of a panel, as shares of the figure."""
    line, column = divmod(i, n_columns)
    left, bottom = column * _PANEL[0] + _LEFT, height - _HEAD - (line + 1) * _PANEL[1] + _BOTTOM
    return left / width, bottom / height, (_PANEL[0] - _LEFT - _RIGHT) / width, (_PANEL[1] - _BOTTOM - _TOP) / height
