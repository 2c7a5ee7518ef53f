"""Runs the examples of the README, and fails unless each prints what the README says it prints."""

import contextlib
import io
import re
import sys
from pathlib import Path

page = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
names: dict[str, object] = {"__name__": "__main__"}
examples = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", page, re.DOTALL)
if len(examples) != page.count("```python"):
    sys.exit("README.md: each block of Python is followed by a block of text with what it prints.")
for code, promised in examples:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), names)
    if printed.getvalue() != promised:
        sys.exit(f"README.md has an example that prints\n{printed.getvalue()}and the page says\n{promised}")
