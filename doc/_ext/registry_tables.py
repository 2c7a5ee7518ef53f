"""Tables made from the library itself, so that they cannot disagree with it.

``.. measures:: name, summary, bounds`` lists the measures by their rows with these columns,
``.. scorers::`` lists the ready-made scorers, and a public name without an entry in the documentation is a warning.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from importlib import import_module

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import skgeom
from skgeom import metrics
from skgeom.metrics._measure import MEASURES, Measure

_NEEDS = {
    "cloud": "rows",
    "labels": "rows and labels",
    "partners": "two clouds, row by row",
    "start": "rows and their start",
    "clouds": "two clouds",
}
_DIRECTIONS = {+1: "more", -1: "less", 0: "neither"}
_ESTIMANDS = {"population": "∞ rows", "sample": "n rows", "none": "none"}
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
    sentence = inspect.getdoc(measure.function).partition("\n")[0]
    sentence = re.sub(r"^[^:,]{,20}[:,] (?=the |its )", "", sentence).split(": see ")[0].rstrip(".")
    return sentence[0].upper() + sentence[1:]


def _bounds(measure: Measure) -> str:
    low, high = (_latex(ast.parse(text, mode="eval").body, measure) for text in measure.bounds)
    return f":math:`{low}` to :math:`{high}`" + (f"; :math:`\\infty` if {measure.infinite}" if measure.infinite else "")


def _latex(node: ast.expr, measure: Measure) -> str:
    """Return the formula of a bound in LaTeX, for the options of the measure where it depends on a condition."""
    match node:
        case ast.Constant(value):
            return f"{value:g}"
        case ast.Name("pi" | "inf" as word):
            return {"pi": r"\pi", "inf": r"\infty"}[word]
        case ast.Name("alpha" | "epsilon" | "sigma" as greek):
            return rf"\{greek}"
        case ast.Name(name):
            return name if len(name) == 1 else rf"\mathrm{{{name}}}"
        case ast.UnaryOp(ast.USub(), operand):
            return f"-{_grouped(operand, measure)}"
        case ast.IfExp(test, body, orelse):
            return _latex(body if _holds(test, measure) else orelse, measure)
        case ast.Call(ast.Name("sqrt"), [argument]):
            return rf"\sqrt{{{_latex(argument, measure)}}}"
        case ast.Call(ast.Name(function), arguments):
            return rf"\{function}({', '.join(_latex(argument, measure) for argument in arguments)})"
        case ast.BinOp(left, operator, right):
            return _operation(left, operator, right, measure)
    raise ValueError(f"A bound of {measure.name!r} has {ast.unparse(node)}, which has no LaTeX here.")


def _operation(left: ast.expr, operator: ast.operator, right: ast.expr, measure: Measure) -> str:
    a, b = _latex(left, measure), _latex(right, measure)
    match operator:
        case ast.Div():
            return rf"\tfrac{{{a}}}{{{b}}}"
        case ast.Pow():
            return f"{a}^{{{b}}}"
        case ast.Mult():
            return rf"{_grouped(left, measure)} \, {_grouped(right, measure)}"
        case ast.Add() | ast.Sub():
            return f"{a} {'+' if isinstance(operator, ast.Add) else '-'} {b}"
    raise ValueError(f"A bound of {measure.name!r} has an operation that has no LaTeX here.")


def _grouped(node: ast.expr, measure: Measure) -> str:
    """Return the formula of a factor, in brackets where it is a sum or a product."""
    latex = _latex(node, measure)
    return f"({latex})" if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Pow) else latex


def _holds(test: ast.expr, measure: Measure) -> bool:
    """Return whether a condition on the options holds; one on the size of the data counts as holding."""
    names = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
    return not names <= set(measure.settings) or bool(eval(ast.unparse(test), {}, dict(measure.settings)))


def _source(measure: Measure) -> str:
    text = re.sub(r"arXiv:([\d.]+)", r":arxiv:`\1`", measure.source)
    return re.sub(r"doi:(10\.\S+)", r":doi:`\1`", text)


_COLUMNS: dict[str, tuple[str, Callable[[Measure], str]]] = {
    "name": ("Measure", lambda m: _call(m.function.__name__, m.options)),
    "summary": ("What it is", _summary),
    "direction": ("Better", lambda m: _DIRECTIONS[m.direction]),
    "bounds": ("From, to", _bounds),
    "needs": ("Of", lambda m: _NEEDS[m.needs]),
    "invariances": ("Unchanged by", lambda m: ", ".join(i for i in _INVARIANCES if i in m.invariances)),
    "gradient": ("Gradient", lambda m: "yes" if m.differentiable else "no"),
    "estimand": ("Interval", lambda m: _ESTIMANDS[m.estimand]),
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
