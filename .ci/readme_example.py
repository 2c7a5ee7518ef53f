"""Runs the first example of the README, and fails unless it prints what the README says it prints."""

import contextlib
import io
import re
import sys
from pathlib import Path

page = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
code, promised = (re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL).group(1) for kind in ("python", "text"))
printed = io.StringIO()
with contextlib.redirect_stdout(printed):
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
if printed.getvalue() != promised:
    sys.exit(f"The first example of README.md prints\n{printed.getvalue()}and the page says\n{promised}")
