"""``.. worked-example:: 01_measure_a_space.py`` shows a script of ``examples/``: its prose, its code, what it prints.

The script runs during the build, so that the page shows what it prints today. A warning ends it, and the build.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

EXAMPLES = Path(__file__).parents[2] / "examples"


class WorkedExample(SphinxDirective):
    """The docstring of a script as prose, the rest as code, and the printed output."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        path = EXAMPLES / self.arguments[0]
        self.env.note_dependency(str(path))
        source = path.read_text(encoding="utf-8")
        prose = ast.get_docstring(ast.parse(source))
        code = "\n".join(source.splitlines()[ast.parse(source).body[0].end_lineno :]).strip()
        output = _output(path)
        return [
            nodes.container(
                "",
                *self.parse_text_to_nodes(prose),
                nodes.literal_block(code, code, language="python"),
                nodes.paragraph("", "It prints:"),
                nodes.literal_block(output, output, language="text"),
                classes=["worked-example"],
            )
        ]


def _output(path: Path) -> str:
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-W", "error", path], capture_output=True, encoding="utf-8", env=environment)
    if done.returncode:
        raise RuntimeError(f"{path} failed:\n{done.stderr}")
    return done.stdout.strip()


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("worked-example", WorkedExample)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
