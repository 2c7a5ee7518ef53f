"""Tables made from the library itself, so that they cannot disagree with it.

``.. measures:: name, summary, bounds`` lists the measures of `skgeom._core._registry.MEASURES` with these columns,
``.. scorers::`` lists the ready-made scorers, and a public name without an entry in the documentation is a warning.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib import import_module
from math import inf, isclose, log, pi

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import skgeom
from skgeom import metrics
from skgeom._core._registry import MEASURES, Measure

_FORMULAS: dict[str, Callable[[int, int], float]] = {
    "0": lambda n, d: 0,
    "1": lambda n, d: 1,
    "-1": lambda n, d: -1,
    r"\tfrac{1}{2}": lambda n, d: 0.5,
    r"-8": lambda n, d: -8,
    r"\pi": lambda n, d: pi,
    r"-\pi": lambda n, d: -pi,
    r"-\log 2": lambda n, d: -log(2),
    r"\infty": lambda n, d: inf,
    r"-\tfrac{1}{n-1}": lambda n, d: -1 / (n - 1),
    r"\tfrac{n-2}{\sqrt{n-1}}": lambda n, d: (n - 2) / (n - 1) ** 0.5,
    r"-\tfrac{n-2}{\sqrt{n-1}}": lambda n, d: -(n - 2) / (n - 1) ** 0.5,
    r"\min(n-1, d)": lambda n, d: min(n - 1, d),
    r"\min(n, d)": lambda n, d: min(n, d),
    r"\tfrac{\min(n-1,\,d)-1}{d-1}": lambda n, d: (min(n - 1, d) - 1) / (d - 1),
}
_SIZES = [(2, 5), (5, 3), (40, 41), (100, 7), (1000, 1000)]
_ROUNDING = 2e-3
_DIRECTIONS = {+1: "more", -1: "less", 0: "neither"}
_INVARIANCES = ("translation", "rotation", "scaling", "row scaling")


class MeasureTable(SphinxDirective):
    """One row for each measure, with the columns named in the argument."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        columns = [_COLUMNS[name.strip()] for name in self.arguments[0].split(",")]
        rows = [[cell(measure) for _, cell in columns] for measure in MEASURES.values()]
        return self.parse_text_to_nodes(_list_table([header for header, _ in columns], rows))


class ScorerTable(SphinxDirective):
    """One row for each ready-made scorer, and a link target for those that are names of `skgeom.metrics`."""

    def run(self) -> list[nodes.Node]:
        names = [name for name in metrics.__all__ if isinstance(getattr(metrics, name), metrics.EmbeddingScorer)]
        exported = {repr(getattr(metrics, name)): name for name in names}
        scorers = {name: metrics.get_scorer(name) for name in metrics.get_scorer_names()}
        rows = [
            [
                f'``"{name}"``',
                f"``{exported[repr(s)]}``" if repr(s) in exported else "",
                ("" if s.greater_is_better else "− ") + _call(s.metric.__name__, s.options),
            ]
            for name, s in scorers.items()
        ]
        targets = [f".. py:data:: skgeom.metrics.{name}\n   :no-typesetting:\n" for name in exported.values()]
        table = _list_table(["``get_scorer``", "``skgeom.metrics``", "Value"], rows)
        return self.parse_text_to_nodes("\n".join([*targets, table]))


def _list_table(headers: list[str], rows: list[list[str]]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", "   :class: registry", ""]
    for row in [headers, *rows]:
        lines += [f"   {'-' if i else '* -'} {cell}".replace("   - ", "     - ") for i, cell in enumerate(row)]
    return "\n".join([*lines, ""])


def _call(name: str, options: object = ()) -> str:
    arguments = ", ".join(f"{key}={value!r}" for key, value in dict(options).items())
    return f":func:`~skgeom.metrics.{name}`" + (f" ``({arguments})``" if arguments else "")


def _summary(measure: Measure) -> str:
    """Return the first sentence of the docstring, without the name that many of them begin with."""
    sentence = inspect.getdoc(getattr(metrics, measure.name)).partition("\n")[0]
    sentence = re.sub(r"^[^:,]{,20}[:,] (?=the |its )", "", sentence).split(": see ")[0].rstrip(".")
    return sentence[0].upper() + sentence[1:]


def _bounds(measure: Measure) -> str:
    low, high = (_formula(measure, side) for side in (0, 1))
    return f":math:`{low}` to :math:`{high}`"


def _formula(measure: Measure, side: int) -> str:
    """Find the formula that has the values of a bound at all sizes."""
    for text, formula in _FORMULAS.items():
        if all(isclose(measure.bounds(n, d)[side], formula(n, d), abs_tol=_ROUNDING) for n, d in _SIZES):
            return text
    raise ValueError(f"Add the formula for a bound of {measure.name!r} to _FORMULAS in {__file__}.")


def _source(measure: Measure) -> str:
    text = re.sub(r"arXiv:([\d.]+)", r":arxiv:`\1`", measure.source)
    return re.sub(r"doi:(10\.\S+)", r":doi:`\1`", text)


_COLUMNS: dict[str, tuple[str, Callable[[Measure], str]]] = {
    "name": ("Measure", lambda m: _call(m.name, m.options)),
    "summary": ("What it is", _summary),
    "direction": ("Better", lambda m: _DIRECTIONS[m.direction]),
    "bounds": ("From, to", _bounds),
    "labels": ("Labels", lambda m: "needed" if m.needs_labels else ""),
    "invariances": ("Unchanged by", lambda m: ", ".join(i for i in _INVARIANCES if i in m.invariances)),
    "cost": ("Time", lambda m: m.cost),
    "source": ("Source", _source),
}


def _check_coverage(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn about public names that no page describes."""
    described = set(env.get_domain("py").objects)
    for package in skgeom._PACKAGES:
        for name in import_module(f"skgeom.{package}").__all__:
            if f"skgeom.{package}.{name}" not in described:
                logging.getLogger(__name__).warning("skgeom.%s.%s is public and on no page", package, name)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("measures", MeasureTable)
    app.add_directive("scorers", ScorerTable)
    app.connect("env-check-consistency", _check_coverage)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
