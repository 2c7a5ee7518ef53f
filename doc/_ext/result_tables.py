"""Tables of the committed results of the benchmarks, read from their files, so that they cannot disagree with them.

``.. results:: cpu`` shows ``benchmarks/results/cpu.md``: the machine, and the tables of each benchmark without targets.
"""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

_RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
_LEFT_OUT = "target"


class ResultTables(SphinxDirective):
    """The machine and the tables of one file of results."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        path = _RESULTS / f"{self.arguments[0]}.md"
        self.env.note_dependency(str(path))
        text = path.read_text(encoding="utf-8").partition("\n")[2]
        return self.parse_text_to_nodes(markup(text))


def markup(text: str) -> str:
    """Return the reStructuredText of a file of results without its title."""
    blocks = []
    for kind, group in groupby(text.splitlines(), key=lambda line: line[:1] if line[:1] in "#|*" else ""):
        lines = list(group)
        if kind == "#":
            blocks.append("\n".join(f".. rubric:: {_plain(line.lstrip('# '))}" for line in lines))
        elif kind == "|":
            blocks.append(_table(lines))
        else:
            blocks.append("\n".join(f"* {_plain(line[2:])}" if kind == "*" else _plain(line) for line in lines))
    return "\n\n".join(blocks)


def _table(lines: list[str]) -> str:
    header, _, *rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]] for line in lines]
    kept = [i for i, name in enumerate(header) if name != _LEFT_OUT]
    table = [".. list-table::", "   :header-rows: 1", "   :class: dense", ""]
    for row in [header, *rows]:
        table += [f"   {'* -' if i == kept[0] else '  -'} {_plain(row[i])}" for i in kept]
    return "\n".join(table)


def _plain(text: str) -> str:
    """Return text in which code is marked and nothing else means anything."""
    parts = re.split(r"`([^`]+)`", text)
    return "".join(f"``{part}``" if i % 2 else re.sub(r"([*|\\_])", r"\\\1", part) for i, part in enumerate(parts))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("results", ResultTables)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
