import bz2
import csv
import errno
import gzip
import io
import json
import lzma
import os
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from skgeom import __version__
from skgeom.metrics import isoscore
from skgeom.model_selection import judge_similarity
from skgeom.report._command import main
from skgeom.report._text import WIDTH, ProgressLine, number

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
    (tmp_path / "y.json").write_text(json.dumps(list(names)))
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
    (folder / "pairs.csv").write_text("0,1\n2,3\n4,5\n")
    (folder / "far.csv").write_text("0,1\n2,3\n4,60\n")
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
    assert "Without a task nothing can be recommended" in out


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


@pytest.mark.parametrize("labels", ["y.npy", "x.npz:y", "y.txt", "header.txt", "y.json", "y.csv:label"])
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
    assert re.search("most conforming +word", report(capsys, "x.vec")[1])


def test_paired_spaces_are_compared(folder, capsys):
    code, out, _ = report(capsys, "x.npy", "--paired", "pair.npy")
    assert code == 0
    assert "centroid gap" in out
    assert "recall@1" in out
    assert "Does a transform help rows find their partners?" in out


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


def test_a_narrow_terminal_has_the_same_numbers_in_more_lines(folder, capsys, monkeypatch):
    inputs = ["x.npy", "--labels", "y.txt", "--paired", "pair.npy"]
    wide = report(capsys, *inputs)[1]
    monkeypatch.setenv("COLUMNS", "40")
    assert report(capsys, *inputs)[1].splitlines()[:-1] == wide.splitlines()[:-1]  # in a file, nothing changes
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    narrow = report(capsys, *inputs)[1]
    assert max(len(line) for line in narrow.splitlines() if not line.startswith(("table: ", "figure: "))) <= 40
    of_card, of_judge = r"[-+]?\d[\d,.]*", r"\d\.\d{3} +[-+]\d\.\d{3} ± \d\.\d{3}"
    found = [
        (Counter(re.findall(of_card, text.partition("Does a")[0])), re.findall(of_judge, re.sub(" +", " ", text)))
        for text in (wide, narrow)
    ]
    assert found[0] == found[1]
    assert len(found[0][1]) > 10
    assert re.search(r"[(\w)]  ◂ best\n    \d\.\d{3} ", narrow)


def test_table_is_written(folder, capsys):
    out = report(capsys, "x.npy", "--labels", "y.npy", "--out", "deep/er")[1]
    assert "table: deep/er/table.csv" in out
    with (folder / "deep/er/table.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["measure"] == "accuracy"]
    assert [row["transform"] for row in rows][:3] == ["as is", "centred", "Whitening(6, power=0.25)"]
    assert f"{float(rows[1]['value']):.3f}  {float(rows[1]['difference']):+.3f} ± {float(rows[1]['margin']):.3f}" in out
    assert float(rows[0]["difference"]) == 0


def test_without_matplotlib_the_rest_is_there(folder, capsys):
    code, out, _ = report(capsys, "x.npy")
    assert code == 0
    assert 'pip install "scikit-embedding-geometry[plot]"' in out
    assert (folder / "skgeom-report/table.csv").exists()


def test_cells_without_a_value_are_empty(folder, capsys):
    report(capsys, "x.npy")
    with (folder / "skgeom-report/table.csv").open(newline="") as file:
        others = [row for row in csv.DictReader(file) if row["measure"] == "isoscore"]
    assert others
    assert {row["difference"] + row["margin"] for row in others} == {""}


def test_a_few_rows_have_a_card_and_no_judgement(folder, capsys):
    np.save("few.npy", np.load("x.npy")[:8])
    code, out, _ = report(capsys, "few.npy")
    assert code == 0
    assert "8 × 6" in out
    assert "Not judged: Expected at least 20 different rows" in out


def test_rows_without_spread_are_reported(folder, capsys):
    np.save("constant.npy", np.ones((N, D)))
    assert report(capsys, "constant.npy")[0] == 0


def test_without_arguments_the_reverse_dictionary_is_reported(folder, capsys, monkeypatch):
    monkeypatch.setattr("skgeom.model_selection._judges.MAX_ROWS", 400)
    monkeypatch.setattr("skgeom.model_selection._judges.MAX_PAIRS", 200)
    code, out, _ = report(capsys)
    assert code == 0
    assert "4,000 × 384" in out
    assert "constant up to rounding: 127, 223, 319" in out
    assert "noun.motive (5) to noun.artifact (528)" in out
    assert "A random sample of 400 of 4,000 took part." in out
    assert "A random sample of 200 of 4,000 took part." in out


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
        (["x.npy", "--scores", "y.npy"], "--scores goes with --pairs or --paired"),
        (["x.npy", "--pairs", "pairs.csv"], "--pairs goes with --scores"),
        (["x.npy", "--pairs", "pairs.csv", "--scores", "y.npy"], "expected 3 scores, one per line, got 60. Row k"),
        (["x.npy", "--paired", "pair.npy", "--scores", "y.csv"], "expected one score per line, got 2 columns"),
        (["x.npy", "--paired", "pair.npy", "--scores", "nan_labels.npy"], "the score of pair 3 is empty or NaN"),
        (["x.npy", "--pairs", "y.txt", "--scores", "y.npy"], "two positions"),
        (["x.npy", "--pairs", "far.csv", "--scores", "short.npy"], "positions from 0 to 59"),
        (["x.npy", "--paired", "pair.npy", "--scores", "y.txt"], "a number for each of 60 pairs"),
        (["x.npy", "--clusters", "1"], "at least two clusters"),
        (["x.npy", "--fail-on", "nothing < 1"], "the card has no value 'nothing'"),
        (["x.npy", "--html", "."], "--html .: expected a file to write, got a folder"),
        (["x.npy", "--html", "missing/r.html"], "missing/r.html: No such file"),
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

    monkeypatch.setattr("skgeom.report._command.card", interrupt)
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


# Judges, formats and codes


def test_judged_pairs_of_rows_and_of_partners(folder, capsys):
    rng = np.random.default_rng(0)
    pairs = rng.permutation(N).reshape(-1, 2)
    np.savetxt("pairs.csv", pairs, fmt="%d", delimiter=",")
    np.savetxt("pairs.txt", pairs, fmt="%d")
    np.save("pairs.npy", pairs)
    np.savetxt("scores.txt", rng.uniform(size=len(pairs)))
    np.save("all_scores.npy", rng.uniform(size=N))
    X = np.load("x.npy")
    expected = judge_similarity(X[pairs], np.loadtxt("scores.txt"))
    lines = (folder / "pairs.csv").read_text().splitlines(keepends=True)
    (folder / "names.csv").write_text("".join(["i;j\n", *lines]).replace(",", ";"))
    (folder / "pairs.json").write_text(json.dumps(pairs.tolist()))
    for file in ("pairs.csv", "pairs.txt", "pairs.npy", "names.csv", "pairs.json"):
        out = report(capsys, "x.npy", "--pairs", file, "--scores", "scores.txt")[1]
        assert "Does a transform help cosines agree with the judgements?" in out
        assert " ".join(expected.verdict.split()) in " ".join(out.split())
    out = report(capsys, "x.npy", "--paired", "pair.npy", "--scores", "all_scores.npy")[1]
    expected = judge_similarity(np.stack([X, np.load("pair.npy")], axis=1), np.load("all_scores.npy"))
    assert " ".join(expected.verdict.split()) in " ".join(out.split())


@pytest.mark.parametrize("extra", ["labels", "scores"])
def test_a_line_too_many_is_no_header_if_it_is_a_number_or_a_label(folder, capsys, extra):
    lines = [f"class {code}" for code in np.load("y.npy")] if extra == "labels" else [f"{i / 7:.3f}" for i in range(N)]
    (folder / "long.txt").write_text("\n".join([*lines, lines[0]]))
    paired = [] if extra == "labels" else ["--paired", "pair.npy"]
    code, _, err = report(capsys, "x.npy", *paired, f"--{extra}", "long.txt")
    assert code == 2
    assert f"long.txt: expected 60 {extra}, one per line, got 61" in err


@pytest.mark.parametrize(
    "lines", [["Label", *(f"class {i % 3}" for i in range(N - 1))], ["kind", *map(str, range(N - 1))]]
)
def test_a_plain_header_does_not_replace_a_missing_label(folder, capsys, lines):
    (folder / "short.txt").write_text("\n".join(lines) + "\n")
    code, _, err = report(capsys, "x.npy", "--labels", "short.txt")
    assert code == 2
    assert "short.txt: expected 60 labels, one per line, got 59" in err


def test_a_table_and_an_array_have_no_header(folder, capsys):
    pytest.importorskip("pyarrow")
    names = ["sentiment", *(f"class {code}" for code in np.load("y.npy"))]
    (folder / "long.json").write_text(json.dumps(names))
    np.save("long.npy", names)
    (folder / "long.jsonl").write_text("".join(json.dumps({"label": name}) + "\n" for name in names))
    for labels in ("long.json", "long.npy", "long.jsonl"):
        code, _, err = report(capsys, "x.npy", "--labels", labels)
        assert code == 2
        assert f"{labels}: expected 60 labels, one per line, got 61" in err


def test_positions_written_as_decimals_have_no_header(folder, capsys):
    pairs = np.random.default_rng(0).permutation(N).reshape(-1, 2)
    np.savetxt("pairs.csv", pairs, "%.1f", ",")
    np.savetxt("scores.txt", np.arange(N // 2))
    assert "folds of 30 rows or pairs" in report(capsys, "x.npy", "--pairs", "pairs.csv", "--scores", "scores.txt")[1]


def test_positions_may_be_quoted(folder, capsys):
    rows = np.random.default_rng(0).permutation(N).reshape(-1, 2)
    (folder / "pairs.csv").write_text('"i","j"\n' + "".join(f'"{i}","{j}"\n' for i, j in rows))
    np.savetxt("scores.txt", np.arange(N // 2))
    assert "folds of 30 rows or pairs" in report(capsys, "x.npy", "--pairs", "pairs.csv", "--scores", "scores.txt")[1]


@pytest.mark.parametrize(
    ("text", "message"), [("i,j\n", "each pair, got the shape (0, 1)."), ("0,x\n", "at row 0, column 2.\n")]
)
def test_positions_that_are_missing_or_not_numbers_give_an_error_of_one_line(folder, capsys, text, message):
    (folder / "pairs.csv").write_text(text)
    code, _, err = report(capsys, "x.npy", "--pairs", "pairs.csv", "--scores", "y.npy")
    assert code == 2
    assert err.startswith("skgeom report: pairs.csv: expected two positions of rows")
    assert err.count("\n") == 1
    assert message in err


def test_clusters_are_judged_with_and_without_labels(folder, capsys):
    assert re.search("silhouette +difference", report(capsys, "x.npy", "--clusters", "3")[1])
    with_labels = report(capsys, "x.npy", "--clusters", "3", "--labels", "y.npy")[1]
    assert re.search("adjusted_rand +difference +silhouette +silhouette_y", with_labels)


def test_json_is_all_that_is_printed(folder, capsys):
    code, out, _ = report(capsys, "x.npy", "--labels", "y.txt", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["skgeom"] == __version__
    values = {entry["name"]: entry["value"] for section in found["card"].values() for entry in section}
    assert values["IsoScore"] == pytest.approx(isoscore(np.load("x.npy")))
    assert values["shape"] == "60 × 6"
    (judgement,) = found["judgements"]
    assert judgement["task"] == "classes"
    assert judgement["transforms"][0]["name"] == "as is"


def test_quiet_prints_the_verdict(folder, capsys):
    code, out, _ = report(capsys, "x.npy", "--labels", "y.npy", "--quiet")
    assert code == 0
    assert out.count("\n") == 1
    assert out.startswith(("No", "Yes"))


@pytest.mark.parametrize(
    ("conditions", "code"),
    [
        (["isoscore < 2"], 3),
        (["IsoScore<=-1"], 0),
        (["isoscore > 2", "effective rank >= 1"], 3),
        (["isoscore, debiased < 1e-9"], 0),
        (["zero rows > 0"], 0),
    ],
)
def test_a_condition_that_holds_is_exit_code_3(folder, capsys, conditions, code):
    found, _, err = report(capsys, "x.npy", *(word for one in conditions for word in ("--fail-on", one)))
    assert found == code
    assert ("holds" in err) == (code == 3)


@pytest.mark.parametrize("name", ["calinski_harabasz", "Caliński-Harabasz"])
def test_a_condition_can_be_typed_on_any_keyboard(folder, capsys, name):
    assert report(capsys, "x.npy", "--labels", "y.npy", "--fail-on", f"{name} >= 0")[0] == 3


@pytest.mark.parametrize("condition", ["isoscore", "isoscore = 1", "isoscore < many", "< 1"])
def test_a_condition_that_is_none_is_one_line(folder, capsys, condition):
    with pytest.raises(SystemExit, match="2"):
        main(["report", "x.npy", "--fail-on", condition])
    assert capsys.readouterr().err.count("\n") == 1


def test_the_page_needs_nothing_else(folder, capsys):
    (folder / "<i>.npy").write_bytes((folder / "x.npy").read_bytes())
    assert report(capsys, "<i>.npy", "--labels", "y.txt", "--paired", "pair.npy", "--html", "page.html")[0] == 0
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "<i>" not in page
    assert "&lt;i&gt;.npy" in page
    assert not re.search(r"<script|<link|src=|url\(|@import", page)
    assert page.count("<table") == page.count("</table>") == 7
    assert "Does a transform help a classifier?" in page


def test_rows_may_come_from_standard_input(folder, capsys, monkeypatch):
    (folder / "x.json").write_text(json.dumps(np.load("x.npy").tolist()))
    for compress in (bytes, gzip.compress, bz2.compress, lzma.compress):
        (folder / "x.packed").write_bytes(compress((folder / "x.npy").read_bytes()))
        for name in ("x.npy", "x.npz", "x.vec", "x.json", "x.packed"):
            key = ["--key", "X"] if name == "x.npz" else []
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((folder / name).read_bytes())))
            code, out, _ = report(capsys, "-", *key)
            assert code == 0
            assert out.startswith("GEOMETRY CARD  standard input\n")
            assert "60 × 6" in out
            assert "stdin" not in out


def test_safetensors_may_come_from_standard_input(folder, capsys, monkeypatch):
    pytest.importorskip("safetensors.numpy").save_file({"X": np.load("x.npy")}, "x.safetensors")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((folder / "x.safetensors").read_bytes())))
    assert "60 × 6" in report(capsys, "-")[1]


def test_compressed_standard_input_that_is_cut_is_refused(folder, capsys, monkeypatch):
    data = gzip.compress((folder / "x.npy").read_bytes())[:-100]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    code, _, err = report(capsys, "-")
    assert code == 2
    assert err.startswith("skgeom report: standard input is damaged")
    assert "stdin" not in err


def test_what_is_printed_cannot_steer_a_terminal(folder, capsys):
    evil = "a\x1b[2J\u202eb"
    np.savez("evil.npz", X=np.load("x.npy"), words=np.array([evil] * N))
    (folder / "y.csv").write_text("label\n" + "".join(f"{evil}{i % 3}\n" for i in range(N)))
    for options in ([], ["--json"], ["--html", "page.html"]):
        code, out, err = report(capsys, "evil.npz", "--labels", "y.csv", *options)
        assert code == 0
        assert not {"\x1b", "\u202e"} & set(out + err)
    assert not {"\x1b", "\u202e"} & set((folder / "page.html").read_text(encoding="utf-8"))


def test_an_older_result_survives_a_disk_that_is_full(folder, capsys, monkeypatch):
    assert report(capsys, "x.npy", "--out", "out", "--html", "page.html")[0] == 0
    before = (folder / "out/table.csv").read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("skgeom.report._command.write_table", full)
    code, _, err = report(capsys, "x.npy", "--out", "out")
    assert code == 2
    assert err.splitlines()[-1].startswith("skgeom report: out/table.csv: No space left on device. Check ")
    assert (folder / "out/table.csv").read_bytes() == before
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["table.csv"]


@pytest.mark.parametrize("closed", ["<&- >&-", ">&- 2>&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("file", "code"), [("x.npy", 0), ("none.npy", 2), ("-", 2)])
def test_closed_streams_change_no_exit_code(folder, closed, file, code):
    line = f"{sys.executable} -m skgeom report {file} --quiet {closed}"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == code
    assert "Traceback" not in done.stdout + done.stderr
    assert ("Without a task" in done.stdout) == (code == 0 and ">&-" not in closed.replace("2>&-", ""))
    assert (folder / "skgeom-report/table.csv").is_file() == (code == 0)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_standard_output_without_room_is_one_line(folder, monkeypatch, unbuffered, option):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    line = f"{sys.executable} -m skgeom report x.npy --quiet {option} > /dev/full"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("skgeom report: standard output: No space left on device.")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_leaves_is_no_error(folder):
    line = f"{sys.executable} -m skgeom report x.npy | head -1"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
    assert done.stdout == "GEOMETRY CARD  x.npy\n"
    assert all(line.startswith("judging ") for line in done.stderr.splitlines())


def test_each_judge_says_how_much_is_done(folder, capsys):
    err = report(capsys, "x.npy", "--labels", "y.npy", "--clusters", "3")[2]
    for task in ("classes", "clusters"):
        lines = [line for line in err.splitlines() if line.startswith(f"judging {task}: ")]
        assert lines[-1] == f"judging {task}: 30 of 30"
        assert len(lines) == 5
    assert report(capsys, "x.npy", "--quiet")[2] == ""
