import csv
import io
import subprocess
import sys

import numpy as np
import pytest

from skgeom import __version__
from skgeom._report import _grid, _probe
from skgeom._report._command import main
from skgeom._report._text import WIDTH, ProgressLine, number

N, D = 60, 6


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with embeddings, labels and pairs of every kind."""
    monkeypatch.chdir(tmp_path)
    X = np.random.default_rng(0).normal(size=(N, D)) + 1
    y = np.arange(N) % 3
    words = [f"word{i}" for i in range(N)]
    np.save("x.npy", X)
    np.savez("x.npz", X=X.astype(np.float32), y=y, other=np.arange(3))
    np.savez("two.npz", A=X, B=X)
    lines = [f"{word} {' '.join(f'{value:.5f}' for value in x)}" for word, x in zip(words, X, strict=True)]
    (tmp_path / "x.vec").write_text("\n".join([f"{N} {D}", *lines]))
    np.save("y.npy", y)
    names = [f"class {code}" for code in y]
    (tmp_path / "y.txt").write_text("\n".join(names) + "\n")
    (tmp_path / "header.txt").write_text("\n".join(["sentiment", *names]) + "\n")
    (tmp_path / "y.csv").write_text("text,label\n" + "".join(f'"a, b",{name}\n' for name in names))
    np.save("pair.npy", X[:, ::-1] + 0.1)
    return tmp_path


@pytest.fixture(autouse=True)
def without_matplotlib(monkeypatch):
    """Drawing takes most of the time of a small report; test_figure.py has it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)


@pytest.fixture
def broken(folder):
    """The same with files that cannot be used."""
    X = np.load("x.npy")
    (folder / "cut.npy").write_bytes((folder / "x.npy").read_bytes()[:300])
    (folder / "cut.npz").write_bytes((folder / "x.npz").read_bytes()[:300])
    (folder / "empty.npy").write_bytes(b"")
    (folder / "x.bin").write_bytes(b"abc")
    (folder / "latin.txt").write_bytes(b"caf\xe9\n" * N)
    np.save("nan.npy", np.where(np.arange(N)[:, None] == 17, np.nan, X))
    np.save("nan_labels.npy", np.where(np.arange(N) == 3, np.nan, 1.0))
    np.save("one.npy", X[:1])
    np.save("vector.npy", X[0])
    np.save("zeros.npy", np.zeros((N, D)))
    np.save("short.npy", np.arange(3))
    np.save("wide.npy", X[:, :3])
    np.save("all_different.npy", np.arange(N))
    np.save("objects.npy", np.array([{}] * N), allow_pickle=True)
    return folder


def report(capsys, *arguments):
    """Run a report, and return its exit code, output and errors."""
    code = main(["report", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("file", ["x.npy", "x.npz", "x.npz:X", "x.vec"])
def test_every_kind_of_file_is_read(folder, capsys, file):
    code, out, _ = report(capsys, file)
    assert code == 0
    assert f"GEOMETRY CARD  {file}" in out
    assert "60 × 6" in out
    assert "Only labels can say" in out


@pytest.mark.parametrize("kind", ["parquet", "safetensors"])
def test_formats_of_optional_libraries_are_read(folder, capsys, kind):
    X = np.load("x.npz")["X"]
    if kind == "parquet":
        arrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.table({"vector": X.tolist(), "other": X.tolist()}), "x.parquet")
    else:
        pytest.importorskip("safetensors.numpy").save_file({"vector": X, "other": X}, "x.safetensors")
    assert report(capsys, f"x.{kind}:vector")[0] == 0
    assert report(capsys, f"x.{kind}", "--key", "vector")[0] == 0
    assert report(capsys, f"x.{kind}")[0] == 2


@pytest.mark.parametrize("labels", ["y.npy", "x.npz:y", "y.txt", "header.txt", "y.csv:label"])
def test_every_kind_of_labels_is_read(folder, capsys, labels):
    code, out, _ = report(capsys, "x.npy", "--labels", labels)
    assert code == 0
    assert "of 20 rows each" in out
    assert "accuracy" in out
    assert "◂ best" in out


def test_a_header_is_announced(folder, capsys):
    assert "'sentiment', counts as a header" in report(capsys, "x.npy", "--labels", "header.txt")[1]


def test_labels_in_the_archive_are_pointed_out_but_not_used(folder, capsys):
    out = report(capsys, "x.npz")[1]
    assert "labels: none given; x.npz holds 'y': --labels x.npz:y" in out
    assert "linear probe" not in out


def test_words_of_a_text_file_are_shown(folder, capsys):
    assert "most conforming       word" in report(capsys, "x.vec")[1]


def test_paired_spaces_are_compared(folder, capsys):
    code, out, _ = report(capsys, "x.npy", "--paired", "pair.npy")
    assert code == 0
    assert "centroid gap" in out
    assert "recall@1" in out


def test_files_may_have_a_colon_in_their_name(folder, capsys):
    np.save("a:b.npy", np.load("x.npy"))
    assert report(capsys, "a:b.npy", "--labels", "x.npz:y")[0] == 0


def test_lines_are_at_most_100_wide(folder, capsys):
    long_name = "n" * 120 + ".npz"
    np.savez(long_name, X=np.load("x.npy") * 1e-120, y=np.load("y.npy"))
    for arguments in ([long_name], [long_name, "--labels", "y.txt", "--paired", "pair.npy"], ["x.npy"]):
        out = report(capsys, *arguments)[1]
        written = ("table: ", "figure: ")
        assert max(len(line) for line in out.splitlines() if not line.startswith(written)) <= WIDTH


def test_table_is_written(folder, capsys):
    out = report(capsys, "x.npy", "--labels", "y.npy", "--out", "deep/er")[1]
    assert "table: deep/er/table.csv" in out
    with (folder / "deep/er/table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["transform"] for row in rows][:3] == ["as is", "centred", "Whitening(2)"]
    assert f"{float(rows[0]['accuracy']):.3f} ± {float(rows[0]['accuracy_sd']):.3f}" in out
    assert float(rows[0]["accuracy_gain"]) == 0


def test_without_matplotlib_the_rest_is_there(folder, capsys):
    code, out, _ = report(capsys, "x.npy")
    assert code == 0
    assert 'pip install "scikit-embedding-geometry[plot]"' in out
    assert (folder / "skgeom-report/table.csv").exists()


def test_cells_without_a_value_are_empty(folder, capsys):
    report(capsys, "x.npy")
    with (folder / "skgeom-report/table.csv").open(newline="") as file:
        assert {row["accuracy"] + row["silhouette_sd"] + row["accuracy_gain"] for row in csv.DictReader(file)} == {""}


def test_a_few_rows_have_a_card_and_no_grid(folder, capsys):
    np.save("few.npy", np.load("x.npy")[:8])
    code, out, _ = report(capsys, "few.npy")
    assert code == 0
    assert "8 × 6" in out
    assert "Held-out folds need 20 different rows" in out


def test_rows_without_spread_are_reported(folder, capsys):
    np.save("constant.npy", np.ones((N, D)))
    assert report(capsys, "constant.npy")[0] == 0


def test_without_arguments_the_reverse_dictionary_is_reported(folder, capsys, monkeypatch):
    monkeypatch.setattr(_grid, "MAX_ROWS", 400)
    monkeypatch.setattr(_probe, "PENALTIES", (10.0,))
    code, out, _ = report(capsys)
    assert code == 0
    assert "4,000 × 384" in out
    assert "constant up to rounding: 127, 223, 319" in out
    assert "noun.motive (5) to noun.artifact (528)" in out
    assert "a sample of 4" in out or "a sample of 3" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.npy"], "missing.npy: expected a file or a folder, got nothing"),
        (["."], "expected a folder with embeddings in files of one format, got files of '.bin', "),
        (["cut.npy"], "damaged"),
        (["cut.npz"], "damaged"),
        (["empty.npy"], "damaged"),
        (["objects.npy"], "objects"),
        (["x.bin"], "expected word2vec binary"),
        (["two.npz"], "2 matrices"),
        (["x.npz:z"], "no array 'z'"),
        (["x.npy", "--key", "z"], "without a name"),
        (["nan.npy"], "NaN"),
        (["nan.npy"], "row 17"),
        (["one.npy"], "minimum of 2"),
        (["vector.npy"], "expected shape"),
        (["zeros.npy"], "0 are not zero"),
        (["--labels", "y.npy"], "goes with a file of embeddings"),
        (["x.npy", "--labels", "missing.txt"], "expected a file or a folder"),
        (["x.npy", "--labels", "short.npy"], "expected 60 labels"),
        (["x.npy", "--labels", "x.npy"], "in one dimension, got the shape (60, 6)"),
        (["x.npy", "--labels", "x.npz"], "2 vectors. The vectors are: x.npz:y, x.npz:other"),
        (["x.npy", "--labels", "x.npz:z"], "no array 'z'"),
        (["x.npy", "--labels", "y.npy:z"], "without a name"),
        (["x.npy", "--labels", "y.txt:z"], "without a name"),
        (["x.npy", "--labels", "y.csv"], "got 2 columns. Name a column, as in y.csv:NAME: 'text', 'label'"),
        (["x.npy", "--labels", "y.csv:z"], "no single column 'z'"),
        (["x.npy", "--labels", "latin.txt"], "expected UTF-8 text"),
        (["x.npy", "--labels", "nan_labels.npy"], "row 3 is empty or NaN"),
        (["x.npy", "--labels", "objects.npy"], "pickled objects"),
        (["x.npy", "--labels", "cut.npz"], "damaged"),
        (["x.npy", "--labels", "all_different.npy"], "60 different labels, 0 of them"),
        (["x.npy", "--paired", "wide.npy"], "expected the shape of x.npy, (60, 6), got (60, 3)"),
        (["x.npy", "--paired", "nan.npy"], "NaN"),
        (["x.npy", "--paired", "zeros.npy"], "zeros.npy: expected rows with a direction"),
        (["x.npy", "--out", "y.npy"], "expected a folder to write to"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(broken, capsys, arguments, message):
    code, out, err = report(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("skgeom report: ")
    assert message in err


def test_an_empty_label_is_named(folder, capsys):
    (folder / "gap.txt").write_text("a\n" * 5 + "\n" + "b\n" * (N - 6))
    code, _, err = report(capsys, "x.npy", "--labels", "gap.txt")
    assert code == 2
    assert "the label of row 5 is empty" in err


def test_unknown_options_are_one_line(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["report", "--nope"])
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "--nope" in err


def test_without_a_command_help_is_printed(capsys):
    assert main([]) == 0
    assert "report" in capsys.readouterr().out


def test_version_is_printed(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"skgeom {__version__}\n"


def test_an_interrupt_is_no_traceback(folder, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("skgeom._report._command.split", interrupt)
    code, _, err = report(capsys, "x.npy")
    assert code == 130
    assert "interrupted" in err


def test_module_runs_as_a_program(folder):
    done = subprocess.run(
        [sys.executable, "-m", "skgeom", "report", "missing.npy"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("skgeom report: missing.npy")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_rewrites_one_line_on_a_terminal():
    stream = Terminal()
    progress = ProgressLine(stream)
    for i in range(1, 11):
        progress.step("folds", i, 10)
    progress.clear()
    assert "\n" not in stream.getvalue()
    assert stream.getvalue().endswith("folds: 10 of 10\r\x1b[2K")


def test_progress_is_a_few_lines_elsewhere():
    stream = io.StringIO()
    progress = ProgressLine(stream)
    progress.say("reading")
    for i in range(1, 46):
        progress.step("folds", i, 45)
    progress.clear()
    assert stream.getvalue().splitlines() == [f"folds: {i} of 45" for i in (9, 18, 27, 36, 45)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4000, "4,000"),
        (0.0, "0.000"),
        (-0.25, "-0.250"),
        (107.56, "107.6"),
        (23456.7, "23,457"),
        (4.58e-7, "4.58e-07"),
        (3e8, "3e+08"),
        (np.inf, "∞"),
        ("3 %", "3 %"),
    ],
)
def test_numbers_have_about_four_digits(value, text):
    assert number(value) == text
