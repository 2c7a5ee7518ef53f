"""The report as one self-contained HTML page: no script, no network, light and dark, phone and paper."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from math import isfinite, isnan
from typing import Any

from skgeom import __version__
from skgeom.metrics._measure import MEASURES
from skgeom.model_selection import Judgement
from skgeom.report._card import Entry, Section
from skgeom.report._figure import COLORS, Picture, svg
from skgeom.report._judging import TITLES
from skgeom.report._text import ARROWS, ERRORS, NO_MATPLOTLIB, limits, printable, valued

_DARK = {
    "ink": "#e6eaee",
    "grey": "#a3afba",
    "pale": "#39424b",
    "blue": "#56b4e9",
    "orange": "#f0b429",
    "green": "#2cc295",
    "vermilion": "#ff8f4d",
    "purple": "#e3a6c6",
    "paper": "#14181c",
}
"""The colours of the page and of its pictures in the dark: as far from its paper as the others are from white."""


def _variables(colors: dict[str, str]) -> str:
    return " ".join(f"--{name}: {color};" for name, color in colors.items())


_STYLE = (
    f"""
.skgeom-report {{ {_variables(COLORS)} color-scheme: light; --glow: none; }}
@media screen and (prefers-color-scheme: dark) {{
  .skgeom-report {{ {_variables(_DARK)} color-scheme: dark; --glow: brightness(1.6); }}
}}
"""
    + """
.skgeom-report { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
  padding: 1rem max(1rem, calc(50% - 33rem)); }
.skgeom-report h1 { font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
.skgeom-report h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
.skgeom-report a { color: var(--blue); }
.skgeom-report p, .skgeom-report td { overflow-wrap: break-word; }
.skgeom-report .hint, .skgeom-report footer { color: var(--grey); }
.skgeom-report .wide { overflow-x: auto; }
.skgeom-report table { border-collapse: collapse; width: 100%; font-size: .92em; color: inherit; }
.skgeom-report th, .skgeom-report td { border-bottom: 1px solid var(--pale); padding: .3rem .6rem; text-align: left;
  vertical-align: top; background: none; font-weight: inherit; }
.skgeom-report tbody th { min-width: 8.5em; }
.skgeom-report thead th { color: var(--grey); white-space: nowrap; }
.skgeom-report .number, .skgeom-report .range { font-variant-numeric: tabular-nums; white-space: nowrap; }
.skgeom-report .number { text-align: right; }
.skgeom-report .range svg { width: 140px; height: 14px; vertical-align: -2px; margin-right: .4rem; }
.skgeom-report .range line { stroke: var(--grey); }
.skgeom-report .range .error { stroke: var(--blue); stroke-width: 8; opacity: .4; }
.skgeom-report .range .value { stroke: var(--blue); stroke-width: 2; }
.skgeom-report summary { cursor: pointer; }
.skgeom-report details p { margin: .3rem 0; color: var(--ink); }
.skgeom-report .pictures { display: grid; gap: 1.5rem; margin: 1.5rem 0;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 25rem), 1fr)); }
.skgeom-report figure { margin: 0; break-inside: avoid; }
.skgeom-report figure svg { display: block; width: 100%; height: auto; stroke-linejoin: round; }
.skgeom-report figure image { filter: var(--glow); }
.skgeom-report figcaption { font-size: .92em; color: var(--grey); }
.skgeom-report figcaption strong { color: var(--ink); }
@media screen and (max-width: 44rem) {
  .skgeom-report .card thead { display: none; }
  .skgeom-report .card, .skgeom-report .card tbody { display: block; }
  .skgeom-report .card tr { display: grid; grid-template-columns: auto 1fr; padding: .4rem 0;
    border-bottom: 1px solid var(--pale); }
  .skgeom-report .card th, .skgeom-report .card td { border: 0; padding: .1rem 0; }
  .skgeom-report .card .range, .skgeom-report .card .hint { grid-column: 1 / -1; }
}
@media print {
  .skgeom-report { padding: 0; font-size: 10pt; }
  .skgeom-report h2, .skgeom-report thead { break-after: avoid; }
  .skgeom-report tr { break-inside: avoid; }
  .skgeom-report .wide { overflow: visible; }
  .skgeom-report .pictures { grid-template-columns: 1fr 1fr; gap: 1rem; }
  .skgeom-report ::details-content { content-visibility: visible; height: auto; }
  .skgeom-report summary { list-style: none; }
  .skgeom-report details p { display: inline; margin-right: .3em; }
  .skgeom-report .range svg { width: 90px; height: 8px; vertical-align: 1px; }
}
"""
)

_SITES = {"arXiv:": "https://arxiv.org/abs/", "doi:": "https://doi.org/"}
_BAR, _MARGIN = 140, 8
"""Width of the bar of a value, and the room at both ends for values beyond its range."""


def page(title: str, content: str) -> str:
    """Return a complete page with the fragment of a report."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}</title><style>body {{ margin: 0 }} .skgeom-report {{ min-height: 100vh }}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{content}\n</body></html>\n'


def fragment(
    title: str,
    notes: Iterable[str],
    sections: Sequence[Section],
    found: Sequence[Judgement | str],
    pictures: Iterable[Picture],
) -> str:
    """Return a report as an HTML element that includes its style.

    Parameters
    ----------
    title : str
        Name of the space.
    notes : iterable of str
        Notes on how the rows were read.
    sections : sequence of Section
        The card.
    found : sequence of Judgement or str
        The judgements, or the reason why one is missing.
    pictures : iterable of Picture
        The pictures, each placed below its section or judgement.

    Returns
    -------
    str
        HTML with all text escaped.
    """
    drawn, missing = _drawn(pictures)
    parts = [
        f"<style>{_STYLE}</style>",
        f"<h1>{_text(title)}</h1>",
        *(f'<p class="hint">{_text(note)}</p>' for note in (*notes, ERRORS, *missing)),
        *(_judgement(one, drawn) if isinstance(one, Judgement) else f"<p>{_text(one)}</p>" for one in found),
        *(_section(section, drawn) for section in sections),
        f"<footer><p>skgeom {_text(__version__)}</p></footer>",
    ]
    return f'<div class="skgeom-report">\n{chr(10).join(parts)}\n</div>'


def _text(value: str) -> str:
    return escape(printable(value))


def _drawn(pictures: Iterable[Picture]) -> tuple[dict[str, list[str]], list[str]]:
    """Return the figures by section or task, and a sentence if there are none."""
    found: dict[str, list[str]] = {}
    for number, picture in enumerate(pictures):
        try:
            content = svg(picture, number)
        except ImportError:
            return {}, [f"No pictures: {NO_MATPLOTLIB}"]
        except ValueError as error:
            content = f"<p>Not drawn: {_text(str(error))}</p>"
        caption = f"<figcaption><strong>{_text(picture.title)}.</strong> {_text(picture.caption)}</figcaption>"
        found.setdefault(picture.part, []).append(f"<figure>{content}{caption}</figure>")
    return found, []


def _figures(drawn: dict[str, list[str]], part: str) -> str:
    return f'<div class="pictures">{"".join(drawn[part])}</div>' if part in drawn else ""


def _judgement(judgement: Judgement, drawn: dict[str, list[str]]) -> str:
    head = f"<h2>{_text(TITLES[judgement.task])}</h2>"
    return f"<section>{head}{judgement._repr_html_()}{_figures(drawn, judgement.task)}</section>"


def _section(section: Section, drawn: dict[str, list[str]]) -> str:
    head = '<tr><th>measure</th><th class="number">value</th><th>range</th><th>meaning</th></tr>'
    table = f'<table class="card"><thead>{head}</thead><tbody>{"".join(map(_entry, section.entries))}</tbody></table>'
    figures = _figures(drawn, section.title)
    return f'<section><h2>{_text(section.title)}</h2><div class="wide">{table}</div>{figures}</section>'


def _entry(entry: Entry) -> str:
    value = "" if entry.value == "" else f"{valued(entry)} {ARROWS[entry.direction]}"
    return (
        f'<tr><th scope="row">{_text(entry.name)}</th><td class="number">{_text(value)}</td>'
        f'<td class="range">{_bar(entry)}{limits(entry)}</td><td class="hint">{_meaning(entry)}</td></tr>'
    )


def _bar(entry: Entry) -> str:
    """Return a bar with a value and its error on its range, and nothing if the range is unbounded."""
    if isinstance(entry.value, str) or entry.low is None or entry.high is None:
        return ""
    low, width = entry.low, entry.high - entry.low
    if not (isfinite(width) and isfinite(entry.value) and width > 0):
        return ""

    def at(value: float) -> float:
        """Return the position of a value; a value outside the range is placed beyond its end."""
        return round(min(max(_MARGIN + (_BAR - 2 * _MARGIN) * (value - low) / width, 3), _BAR - 3), 1)

    error = 0.0 if isnan(entry.error) else entry.error
    label = f"{valued(entry)} on the range {limits(entry)}"
    x, end = at(entry.value), _BAR - _MARGIN
    ends = "".join(f'<line x1="{x}" x2="{x}" y1="4" y2="10"/>' for x in (_MARGIN, end))
    box = f'<line class="error" x1="{at(entry.value - error)}" x2="{at(entry.value + error)}" y1="7" y2="7"/>'
    return (
        f'<svg viewBox="0 0 {_BAR} 14" role="img" aria-label="{_text(label)}">'
        f'<line x1="{_MARGIN}" x2="{end}" y1="7" y2="7"/>{ends}{box if error else ""}'
        f'<line class="value" x1="{x}" x2="{x}" y1="1" y2="13"/></svg>'
    )


def _meaning(entry: Entry) -> str:
    hint = _text(entry.hint)
    return hint if entry.about is None else f"<details><summary>{hint}</summary>{_note(entry.about)}</details>"


def _note(about: Callable[..., Any]) -> str:
    """Return the summary, the import path and the source of a function, from its docstring and its declaration."""
    doc = inspect.getdoc(about) or ""
    summary = " ".join(doc.partition("\n\n")[0].split())
    row = next((row for row in MEASURES.values() if row.function is about), None)
    cited = re.search(r"\nReferences\n-+\n(?:\.\. \[1\] )?(.+?)(?:\n\n|$)", doc, re.DOTALL)
    source = row.source if row is not None else " ".join(cited[1].split()) if cited else ""
    unchanged = f"<p>Unchanged by {', '.join(row.invariances)}.</p>" if row is not None and row.invariances else ""
    package = ".".join(about.__module__.split(".")[:2])
    where = (
        f"<p><code>{_text(f'{package}.{about.__name__}')}</code>{'. Source: ' if source else ''}{_linked(source)}</p>"
    )
    return f"<p>{_text(summary)}</p>{unchanged}{where}"


def _linked(source: str) -> str:
    """Return a source with links to the papers that it names."""

    def link(found: re.Match[str]) -> str:
        return f'<a href="{_SITES[found[1]]}{found[2]}">{found[0]}</a>'

    return re.sub(r"(arXiv:|doi:)([^\s,]*[^\s,.])", link, _text(source))
