"""``image_scrapers`` of the gallery: its pictures have a text for those who cannot see them."""

import re

from matplotlib import pyplot
from matplotlib.figure import Figure
from sphinx_gallery.scrapers import matplotlib_scraper


def pictures(block, block_vars, gallery_conf) -> str:
    """Save the figures of a cell as sphinx-gallery does, described by what their axes say."""
    texts = iter([_text(pyplot.figure(number)) for number in pyplot.get_fignums()])
    return re.sub(r":alt: .*", lambda _: f":alt: {next(texts)}", matplotlib_scraper(block, block_vars, gallery_conf))


def _text(figure: Figure) -> str:
    """Return titles, labels and legends of the axes of a figure."""
    parts = []
    for axes in figure.axes:
        entries = axes.get_legend_handles_labels()[1]
        labels = " against ".join(filter(None, (axes.get_ylabel(), axes.get_xlabel())))
        parts.append(": ".join(filter(None, (axes.get_title(), labels, ", ".join(entries)))))
    return " ".join("; ".join(filter(None, parts)).split())
