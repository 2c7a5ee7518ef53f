"""The command line: arguments, files, the sequence of steps, and errors in one line."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from operator import ge, gt, le, lt
from pathlib import Path
from typing import NamedTuple, NoReturn

from skgeom import __version__
from skgeom._whole_file import replaced
from skgeom.datasets._files._formats import reading
from skgeom.datasets._files._source import Source
from skgeom.model_selection import Judgement
from skgeom.report._card import card
from skgeom.report._figure import draw
from skgeom.report._files import embedded_space, read_space
from skgeom.report._judging import judged, judges, silent
from skgeom.report._report import Report, slug, values_of
from skgeom.report._space import Space
from skgeom.report._text import (
    NO_MATPLOTLIB,
    ProgressLine,
    card_text,
    judgement_text,
    printable,
    text_width,
    write_table,
)

REFUSED, HELD = 2, 3
"""Exit codes: an input was not accepted; a condition of --fail-on holds."""

_ERRORS = (OSError, ValueError, TypeError, ImportError, MemoryError)
_EXAMPLES = """\
examples:
  skgeom report                              the reverse dictionary that comes with skgeom
  skgeom report embeddings.npy --labels labels.txt
  skgeom report data.npz:X --labels data.npz:y
  skgeom report images.npy --paired captions.npy --out report
  skgeom report sentences.npy --pairs pairs.csv --scores scores.txt --html report.html
  cat embeddings.npy | skgeom report - --json --fail-on "isoscore < 0.1"

exit codes: 0, 2 if an input is invalid, 3 if a condition of --fail-on holds
"""
_PACKINGS = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ": ".xz"}
_FORMATS = {b"\x93NUMPY": ".npy", b"PK": ".npz", b"PAR1": ".parquet", b"ARROW1": ".arrow"}
"""The first bytes of what standard input can be, packed or plain, beside text and safetensors."""

_LONGEST_START = 1 << 12
"""Number of bytes that tell the format."""

_LONGEST_HEADER = 100_000_000
"""Maximum length of the header of a file of safetensors, which its first eight bytes name."""

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
_CONDITION = re.compile(r"\s*(.+?)\s*(<=|>=|<|>)\s*([-+.\deE]+)\s*")


class Condition(NamedTuple):
    """A condition on a value of the card: its name, the comparison and the limit."""

    name: str
    comparison: str
    limit: float

    def holds(self, values: dict[str, float]) -> bool:
        """Return whether the condition holds; raise if the card has no such value."""
        if self.name not in values:
            raise ValueError(f"--fail-on: the card has no value {self.name!r}. Name one of {', '.join(values)}.")
        return _COMPARISONS[self.comparison](values[self.name], self.limit)

    def __str__(self) -> str:
        return f"{self.name} {self.comparison} {self.limit:g}"


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(REFUSED, printable(f"{self.prog}: {' '.join(message.split())}. See {self.prog} --help.") + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``skgeom`` or ``python -m skgeom`` with arguments, and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, default=None
        The words after ``skgeom``; None reads them from the command line.

    Returns
    -------
    int
        0; 2 if an input was invalid: stderr then has one line with the requirement, the value received and the remedy;
        3 if a condition of ``--fail-on`` holds.
    """
    _replace_closed_streams()
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    code = None
    try:
        code = _report(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _drop_output()
        return 1
    except OSError as error:  # what was printed did not fit, and Python would try again at the end
        _drop_output()
        return REFUSED if code == REFUSED else _refuse(error)
    except KeyboardInterrupt:
        _say_error("interrupted")
        return 130


def _drop_output() -> None:
    """Discard standard output, including what is still in its buffer."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _replace_closed_streams() -> None:
    """Reopen closed standard streams on the null device, so that no file gets their descriptors."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 (open as long as the process runs)
            setattr(sys, name, stream)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="skgeom", description="The geometry of embeddings, for scikit-learn.")
    parser.add_argument("--version", action="version", version=f"skgeom {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    report = commands.add_parser(
        "report",
        help="print the geometry card of a file of embeddings, and test whether a transform helps",
        description="Print the geometry card of a space of embeddings, and test whether a transform helps the task.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = report.add_argument
    add(
        "file",
        nargs="?",
        metavar="FILE",
        help=".npy .npz .safetensors .parquet .feather .arrow .csv .tsv .json .jsonl, word2vec, GloVe or fastText "
        "vectors, each plain or compressed; a folder of these; or - for standard input; FILE:NAME names an array, a "
        "column, or columns as in FILE:dim_*",
    )
    add("--key", metavar="NAME", help="name of the array in FILE, as in FILE:NAME")
    add("--labels", metavar="FILE", help="the class of each row: lines of text, or FILE:NAME, also of the same file")
    add("--paired", metavar="FILE", help="a second space, for retrieval: its row k is the partner of row k")
    add("--pairs", metavar="FILE", help="with --scores: two positions of rows on each line")
    add("--scores", metavar="FILE", help="similarity of the two rows of each pair of --pairs, or else of --paired")
    add("--clusters", metavar="K", type=int, help="also judge the clusters of k-means")
    add("--out", metavar="DIR", default="skgeom-report", help="folder for the table and the figure (%(default)s)")
    add("--html", metavar="FILE", help="also write the report as one HTML page")
    add("--json", action="store_true", help="print JSON instead of text")
    add("--quiet", action="store_true", help="print only the verdicts")
    add(
        "--fail-on",
        metavar="CONDITION",
        type=_condition,
        action="append",
        default=[],
        help='exit with code 3 if the condition holds, such as "isoscore < 0.1"; may be repeated',
    )
    return parser


def _condition(text: str) -> Condition:
    found = _CONDITION.fullmatch(text)
    try:
        return Condition(slug(found[1]), found[2], float(found[3]))  # type: ignore[index]
    except (TypeError, ValueError):
        raise argparse.ArgumentTypeError(
            f"expected a name, a comparison and a number, as 'isoscore < 0.1', got {text!r}"
        ) from None


def _report(options: argparse.Namespace) -> int:
    start = time.perf_counter()
    progress = ProgressLine(sys.stderr)
    show, width = _printer(options), text_width(sys.stdout)
    try:
        progress.say("reading")
        space = _space(options)
        out = _folder(options)
        progress.say("measuring")
        sections = card(space)
        failed = [one for one in options.fail_on if one.holds(values_of(sections))]
        show(card_text(space.title, space.notes, sections, width), progress)
        found = []
        step = silent if options.quiet else progress.step
        for one in judged(judges(space, options.clusters), step):
            found.append(one)
            verdict = one.verdict if isinstance(one, Judgement) else one
            text = verdict if options.quiet and not options.json else judgement_text(one, width)
            show(text, progress, always=options.quiet)
        report = Report(space, sections, found)
        written = _write(out, options, space, report)
    except _ERRORS as error:
        progress.clear()
        if isinstance(error, BrokenPipeError):
            raise
        return _refuse(error)
    progress.clear()
    if options.json:
        print(json.dumps(report.to_dict() | {"failed": [str(one) for one in failed]}, indent=2, allow_nan=False))
    show(f"\n{written}{time.perf_counter() - start:.1f} s in all", progress)
    for one in failed:
        _say_error(f"{one} holds")
    return HELD if failed else 0


def _printer(options: argparse.Namespace) -> Callable[..., None]:
    def show(text: str, progress: ProgressLine, *, always: bool = False) -> None:
        if options.json or (options.quiet and not always):
            return
        progress.clear()
        print(printable(text), flush=True)

    return show


def _space(options: argparse.Namespace) -> Space:
    if options.clusters is not None and options.clusters < 2:
        raise ValueError(f"--clusters {options.clusters}: expected at least two clusters.")
    if options.pairs is not None and options.scores is None:
        raise ValueError("--pairs goes with --scores, the judgement of each pair. Pass --scores FILE.")
    if options.scores is not None and options.pairs is None and options.paired is None:
        raise ValueError("--scores goes with --pairs or --paired, which define the pairs, and there is neither.")
    given = [name for name in ("key", "labels", "paired", "pairs", "scores") if getattr(options, name) is not None]
    if options.file is None:
        if given:
            raise ValueError(
                f"--{given[0]} goes with a file of embeddings, got none. Write report FILE --{given[0]} ..."
            )
        return embedded_space()
    with _standard_input(options.file) as file:
        named = file if options.key is None else f"{file}:{options.key}"
        title = "standard input" if options.file == "-" else None
        return read_space(named, options.labels, options.paired, options.pairs, options.scores, title)


@contextmanager
def _standard_input(file: str) -> Iterator[str]:
    """Yield the name of a file; for "-", of a temporary file with standard input."""
    if file != "-":
        yield file
        return
    with tempfile.TemporaryDirectory() as folder:
        path = _written(sys.stdin.buffer.read(), folder)
        try:
            yield str(path)
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), "standard input")) from error


def _written(data: bytes, folder: str) -> Path:
    """Write data to a file with the suffixes of their packing and format."""
    path = Path(folder, f"stdin{_suffix_of(data, _PACKINGS)}")
    path.write_bytes(data)
    start = b""
    with suppress(ValueError), reading(path), Source(path).open() as file:  # to be refused when all of it is read
        start = file.read(_LONGEST_START)
    is_safetensors = start[8:9] == b"{" and int.from_bytes(start[:8], "little") < _LONGEST_HEADER
    usual = ".json" if start.lstrip()[:1] in (b"[", b"{") else ".txt"
    suffix = ".safetensors" if is_safetensors else _suffix_of(start, _FORMATS) or usual
    return path.rename(path.with_name(f"stdin{suffix}{path.suffix}"))


def _suffix_of(data: bytes, known: dict[bytes, str]) -> str:
    """Return the suffix for the first bytes of some data, and none for others."""
    return next((suffix for start, suffix in known.items() if data.startswith(start)), "")


def _folder(options: argparse.Namespace) -> Path:
    """Create the output folder and check that it is writable before the work begins."""
    out = Path(options.out)
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"--out {out}: expected a folder to write to, got a file. Name another.")
    if options.html is not None and Path(options.html).is_dir():
        raise IsADirectoryError(f"--html {options.html}: expected a file to write, got a folder. Name a file in it.")
    out.mkdir(parents=True, exist_ok=True)
    for path in (out / "table.csv", options.html):
        if path is not None:
            with _writing(Path(path)), tempfile.TemporaryFile(dir=Path(path).parent):
                pass
    return out


@contextmanager
def _writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Name a file in the errors of writing it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _write(out: Path, options: argparse.Namespace, space: Space, report: Report) -> str:
    """Write the table, the figure and the page, and return one line about each."""
    said = []
    if report.judgements:
        table = out / "table.csv"
        with _writing(table), replaced(table) as path, path.open("w", newline="", encoding="utf-8") as file:
            write_table(file, report.judgements)
        said.append(f"table: {table}")
    try:
        figure = draw(space, report.judgements)
        with _writing(out / "figure.png"), replaced(out / "figure.png") as path:
            figure.savefig(path, dpi=150, format="png")
        said.append(f"figure: {out / 'figure.png'}")
    except ImportError:
        said.append(f"figure: none, {NO_MATPLOTLIB}")
    if options.html is not None:
        with _writing(options.html), replaced(options.html) as path:
            report.to_html(path)
        said.append(f"page: {options.html}")
    return "".join(f"{line}\n" for line in said)


def _refuse(error: BaseException) -> int:
    message = str(error) or "expected the rows to fit into memory several times, and they do not. Pass fewer of them."
    if isinstance(error, OSError) and error.strerror:
        where = error.filename or "standard output"
        message = f"{where}: {error.strerror}. Check the name, the permissions and the room on the disk."
    _say_error(message)
    return REFUSED


def _say_error(message: str) -> None:
    print(printable(f"skgeom report: {' '.join(message.split())}"), file=sys.stderr)
