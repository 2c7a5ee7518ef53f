"""The command line: arguments, files, the order of things, and errors in one line."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from skgeom import __version__
from skgeom._report._card import card
from skgeom._report._figure import draw
from skgeom._report._files import embedded_space, read_space
from skgeom._report._grid import MIN_FOLD, Row, Split, evaluate, split
from skgeom._report._space import N_FOLDS, Space
from skgeom._report._text import ProgressLine, card_text, grid_text, write_table
from skgeom._report._verdict import verdict

_REFUSED = (OSError, ValueError, TypeError, ImportError, MemoryError)
_EXAMPLES = """\
examples:
  python -m skgeom report                              the reverse dictionary that comes with skgeom
  python -m skgeom report embeddings.npy --labels labels.txt
  python -m skgeom report data.npz:X --labels data.npz:y
  python -m skgeom report images.npy --paired captions.npy --out report
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. See {self.prog} --help.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m skgeom`` with arguments, and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, default=None
        The words after ``python -m skgeom``; None takes them from the command line.

    Returns
    -------
    int
        0, or 2 if something was refused: stderr then has one line that says what was expected, what came, what to do.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        return _report(options)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MemoryError as error:
        return _refuse(ProgressLine(sys.stderr), error)
    except KeyboardInterrupt:
        print("\nskgeom report: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m skgeom", description="The geometry of embeddings, for scikit-learn.")
    parser.add_argument("--version", action="version", version=f"skgeom {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    report = commands.add_parser(
        "report",
        help="print the geometry card of a file of embeddings, and whether to whiten them",
        description="Print the geometry card of a space of embeddings, and whether to whiten it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help=".npy .npz .safetensors .parquet .feather .arrow .csv .tsv .jsonl, word2vec, GloVe or fastText vectors, "
        "each plain or packed; or a folder of such; FILE:NAME names an array, a column, or columns as in FILE:dim_*",
    )
    report.add_argument("--key", metavar="NAME", help="name of the array in FILE, as in FILE:NAME")
    report.add_argument(
        "--labels",
        metavar="FILE",
        help="text with one label a line, header optional; or an array or a column of any such file, FILE:NAME",
    )
    report.add_argument("--paired", metavar="FILE", help="a second space whose row k is the partner of row k")
    report.add_argument("--out", metavar="DIR", default="skgeom-report", help="where table and figure go (%(default)s)")
    return parser


def _report(options: argparse.Namespace) -> int:
    start = time.perf_counter()
    progress = ProgressLine(sys.stderr)
    try:
        progress.say("reading")
        space = _space(options)
        out = Path(options.out)
        if out.exists() and not out.is_dir():
            raise NotADirectoryError(f"--out {out}: expected a folder to write to, got a file. Name another.")
        out.mkdir(parents=True, exist_ok=True)
    except _REFUSED as error:
        return _refuse(progress, error)
    folds, rows = _print_report(space, progress)
    try:
        written = _write(out, space, folds, rows)
    except OSError as error:
        return _refuse(progress, error)
    print(f"\n{written}{time.perf_counter() - start:.1f} s in all")
    return 0


def _space(options: argparse.Namespace) -> Space:
    if options.file is not None:
        file = options.file if options.key is None else f"{options.file}:{options.key}"
        return read_space(file, options.labels, options.paired)
    given = [f"--{name}" for name in ("key", "labels", "paired") if getattr(options, name) is not None]
    if given:
        raise ValueError(f"{given[0]} goes with a file of embeddings, got none. Write report FILE {given[0]} ...")
    return embedded_space()


def _print_report(space: Space, progress: ProgressLine) -> tuple[Split | None, list[Row]]:
    """Print the card as soon as the row "as is" of the grid is there, then the grid."""
    progress.say("measuring")
    folds = split(space)
    rows: list[Row] = []
    if folds is not None:
        for row in evaluate(folds, lambda done, total: progress.step("held-out scores", done, total)):
            rows.append(row)
            if len(rows) == 1:
                _print_card(space, row, progress)
        progress.clear()
        print(grid_text(rows, folds, verdict(rows, folds)))
    else:
        _print_card(space, None, progress)
        print(f"\nShould I whiten? Held-out folds need {N_FOLDS * MIN_FOLD} different rows, and here are fewer.")
    return folds, rows


def _print_card(space: Space, as_is: Row | None, progress: ProgressLine) -> None:
    probe = None if as_is is None or space.labels is None else (as_is.mean("accuracy"), as_is.deviation("accuracy"))
    text = card_text(space.title, space.notes, card(space, probe))
    progress.clear()
    print(text, flush=True)


def _write(out: Path, space: Space, folds: Split | None, rows: list[Row]) -> str:
    """Write the table and the figure, and return what to say about them."""
    said = ""
    if folds is not None:
        write_table(out / "table.csv", rows, folds)
        said = f"table: {out / 'table.csv'}\n"
    try:
        figure = draw(space.title, space.eigenvalues, space.rank, space.conformity, rows)
    except ImportError:
        return f'{said}figure: none, matplotlib is missing: pip install "scikit-embedding-geometry[plot]"\n'
    figure.savefig(out / "figure.png", dpi=150)
    return f"{said}figure: {out / 'figure.png'}\n"


def _refuse(progress: ProgressLine, error: BaseException) -> int:
    progress.clear()
    message = str(error) or "expected the rows to fit into memory several times, and they do not. Pass fewer of them."
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror}. Check the name and the permissions."
    print(f"skgeom report: {' '.join(message.split())}", file=sys.stderr)
    return 2
