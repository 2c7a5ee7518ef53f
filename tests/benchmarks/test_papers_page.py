"""The pages of the papers are complete, and what they name exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE_COLUMNS = 5


@pytest.fixture(scope="module")
def rows():
    """Return the cells of each row below the headers."""
    page = "".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "doc/papers").glob("*.rst")))
    found = re.findall(r"^   \* - (.*)\n((?:     -.*\n)+)", page, re.MULTILINE)
    cells = [[first, *(line[7:] for line in rest.splitlines())] for first, rest in found]
    return [row for row in cells if row[0] != "Row"]


def test_rows_are_numbered_by_paper_without_a_gap(rows):
    for prefix in ("1", "R", "2", "3", "4"):
        numbers = [int(row[0].split(".")[1]) for row in rows if row[0].startswith(f"{prefix}.")]
        assert numbers == list(range(1, len(numbers) + 1))
        assert numbers


def test_no_row_is_silent(rows):
    verdicts = ("match", "differs", "cannot be", "not in ", "one may be")
    assert all(len(row) == TABLE_COLUMNS and row[1] and row[4].startswith(verdicts) for row in rows)


def test_what_the_page_says_of_its_rows_is_so(rows):
    page = " ".join((ROOT / "doc/papers/index.rst").read_text(encoding="utf-8").split())
    said = re.search(r"There are (\d+) rows: (\d+) have .*?, (\d+) have neither. None is open; (\d+) cannot", page)
    total, run, neither, beyond = map(int, said.groups())
    verdicts = [row[4] for row in rows]
    assert len(rows) == total == run + neither
    assert sum("`" not in row[2] for row in rows) == neither
    assert not any("open" in v.replace(":", "").replace(",", "").split() for v in verdicts)
    assert sum(v.startswith("cannot") for v in verdicts) == beyond


def test_scripts_on_the_page_exist(rows):
    names = {name for row in rows for name in re.findall(r"(?:^|; )``([a-z]+(?:_[a-z]+)+)``", row[2])}
    assert len(names) > 6
    for name in names:
        assert (ROOT / f"benchmarks/papers/{name}.py").exists()
        assert (ROOT / f"benchmarks/results/{name}.md").exists()
