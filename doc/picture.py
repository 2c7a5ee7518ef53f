"""Draws the picture of the README: ``python doc/picture.py``."""

from pathlib import Path

from matplotlib.figure import Figure

from skgeom.datasets import load_reverse_dictionary
from skgeom.inspection import WhiteningPathDisplay
from skgeom.model_selection import judge_classes, judge_retrieval

nouns = load_reverse_dictionary()
judgements = {
    "the class of a definition": judge_classes(nouns.data, nouns.target),
    "the noun of a definition": judge_retrieval(nouns.data, nouns.lemma),
}
figure = Figure(figsize=(12, 4.2), layout="constrained")
for axes, (task, judgement) in zip(figure.subplots(1, 2), judgements.items(), strict=True):
    WhiteningPathDisplay.from_judgement(judgement).plot(ax=axes)
    axes.text(0.97, 0.05, task, transform=axes.transAxes, ha="right", fontsize=13)
figure.savefig(Path(__file__).parent / "_static/picture.png", dpi=120)
