"""The report as one self-contained HTML page: no script, no network, light and dark, phone and paper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from skgeom import __version__
from skgeom._report._card import Entry, Section
from skgeom._report._judging import TITLES
from skgeom._report._text import ERRORS, bound, printable, valued
from skgeom.model_selection import Judgement

_STYLE = """
:root { color-scheme: light dark; --line: #d5dbe1; --soft: #5f6b76; }
@media (prefers-color-scheme: dark) { :root { --line: #3a434c; --soft: #9aa7b3; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
.note, .hint, footer { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .6rem; text-align: left; vertical-align: top; }
.number { font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } h2 { break-after: avoid; } }
"""


def page(title: str, notes: Iterable[str], sections: Sequence[Section], judgements: Sequence[Judgement | str]) -> str:
    """Return the page.

    Parameters
    ----------
    title : str
        What the space is called.
    notes : iterable of str
        How the rows were read.
    sections : sequence of Section
        The card.
    judgements : sequence of Judgement or str
        What the judges found, or why one found nothing.

    Returns
    -------
    str
        HTML, in which all text is escaped.
    """
    parts = [
        f"<h1>{_text(title)}</h1>",
        *(f'<p class="note">{_text(note)}</p>' for note in (*notes, ERRORS)),
        *(_judgement(one) if isinstance(one, Judgement) else f"<p>{_text(one)}</p>" for one in judgements),
        *(_section(section) for section in sections),
        f"<footer><p>skgeom {_text(__version__)}</p></footer>",
    ]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}</title><style>{_STYLE}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{chr(10).join(parts)}\n</body></html>\n'


def _text(value: str) -> str:
    return escape(printable(value))


def _section(section: Section) -> str:
    rows = "".join(map(_entry, section.entries))
    head = '<tr><th>measure</th><th class="number">value</th><th class="number">range</th><th>meaning</th></tr>'
    return f"<h2>{_text(section.title)}</h2>{_table(head, rows)}"


def _entry(entry: Entry) -> str:
    value = "" if entry.value == "" else valued(entry)
    limits = "" if entry.low is None or entry.high is None else f"{bound(entry.low)} to {bound(entry.high)}"
    return (
        f'<tr><td>{_text(entry.name)}</td><td class="number">{_text(value)}</td><td class="number">{limits}</td>'
        f'<td class="hint">{_text(entry.hint)}</td></tr>'
    )


def _judgement(judgement: Judgement) -> str:
    return f"<h2>{_text(TITLES[judgement.task])}</h2>{judgement._repr_html_()}"


def _table(head: str, rows: str) -> str:
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'
