"""What README, guide and `estimate` quote from runs stands in the result files that they name, digit for digit."""

import re
from itertools import takewhile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results"
PAGES = [
    "README.md",
    "skgeom/metrics/_estimate.py",
    *sorted(f"doc/guide/{page.name}" for page in (ROOT / "doc/guide").glob("*.rst")),
]

NUMBER = re.compile(r"(?<![\w./])(?:\d[\d,]*)?\.?\d+(?:e[-+]?\d+)?(?![\w]|[.,/]\d)")
NAMED = re.compile(r"benchmarks/results/(\w+)\.md|python -m benchmarks(?:\.papers\.| )(\w+)")
TABLE = re.compile(r"\.\. list-table| +\* -|\|")
SCRIPT = re.compile(r"(?:^|[;,] )``([a-z]+(?:_[a-z]+)+)``")


def numbers(text):
    """Return the numbers in a text that are not plain counts, as they are written, without sign and commas."""
    found = (one.replace(",", "") for one in NUMBER.findall(text))
    return [one for one in found if "." in one or "e" in one]


def results(name):
    """Return the text of the result files of a script: one, or several of one beginning."""
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted(RESULTS.glob(f"{name}*.md")))


def stands_in(number, text):
    """Return whether a number is one of those in a text, rounded to as many digits."""
    mantissa, _, exponent = number.partition("e")
    digits = len(mantissa.partition(".")[2])
    layout = f".{digits}e" if exponent else f".{digits}f"
    wanted = f"{float(number):{layout}}"
    return any(f"{float(one.replace(',', '')):{layout}}" == wanted for one in NUMBER.findall(text))


def passages():
    """Yield page, names of results and text of each paragraph that names one, with the table that it announces."""
    for page in PAGES:
        blocks = re.split(r"\n\s*\n", (ROOT / page).read_text(encoding="utf-8"))
        for i, block in enumerate(blocks):
            names = [one for pair in NAMED.findall(block) for one in pair if one not in ("", "all")]
            if not names:
                continue
            table = "\n".join(takewhile(TABLE.match, blocks[i + 1 :]))
            yield pytest.param(names, f"{block}\n{table}", id=f"{page}: {' '.join(block.split())[:50]}")


def rows():
    """Yield names of results and the third cell of each row of the pages of the papers that names a script."""
    page = "".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "doc/papers").glob("*.rst")))
    for row, rest in re.findall(r"^   \* - (.*)\n((?:     -.*\n)+)", page, re.MULTILINE):
        cells = [line[7:] for line in rest.splitlines()]
        if names := SCRIPT.findall(cells[1]):
            yield pytest.param(names, cells[2], id=row)


@pytest.mark.parametrize(("names", "text"), [*passages(), *rows()])
def test_numbers_stand_in_the_results(names, text):
    found = "\n".join(results(name) or results("cpu") for name in names)
    assert not [one for one in numbers(text) if not stands_in(one, found)]


def readme_rows():
    """Yield the numbers of each row of the table of speed, and those of its last column, the errors."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    table = page[page.index("| | peer | times as fast |") :].split("\n\n")[0]
    for line in table.splitlines()[2:]:
        name, _, ratio, memory, error = re.split(r"(?<!\\)\|", line.strip("|"))
        yield pytest.param([[ratio.strip(), *numbers(memory)], numbers(error)], id=name.strip())


@pytest.mark.parametrize("parts", [*readme_rows()])
def test_a_row_of_the_readme_is_one_of_the_results(parts):
    lines = results("cpu").splitlines()
    for part in parts:
        assert any(all(stands_in(one, line) for one in part) for line in lines)


@pytest.mark.parametrize("parts", [*readme_rows()])
def test_a_changed_number_of_the_readme_is_noticed(parts):
    ratio, *rest = parts[0]
    changed = [f"{ratio[:-1]}{(int(ratio[-1]) + 1) % 10}", *rest]
    assert not any(all(stands_in(one, line) for one in changed) for line in results("cpu").splitlines())


def test_the_readme_has_the_time_of_a_run_and_its_ratio_by_the_means():
    run = r"The whole run takes (\d+) s\. Times as fast: ([\d.]+) by the means"
    seconds, ratio = map(float, re.search(run, results("isotropy_clusters_classifiers")).groups())
    page = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"makes 1,000 updates of these sentences in {seconds / 60:.0f} minutes" in page
    assert f"That is {ratio:.1f} times as fast as Torch" in page


def test_the_citation_has_the_version_of_the_package():
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
