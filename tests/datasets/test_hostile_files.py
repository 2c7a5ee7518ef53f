"""Any file gives the right data or one error in words: cut, damaged, hostile and odd files of every format.

The files are built here. Each is read by `load_embeddings`, and as the rows, the labels and the partners of a report.
"""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import struct
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest

from skgeom.datasets import load_embeddings
from skgeom.datasets._files._formats import NAMED, UNNAMED
from skgeom.report._files import read_space

N, D = 40, 3
X = np.random.default_rng(0).normal(size=(N, D)).round(4).astype(np.float32)
Y = np.arange(N) % 4
ROWS = X.tobytes()
WORDS = [f"w{i}" for i in range(N)]
PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
CHECKED = (".npz", ".gz", ".bz2", ".xz", ".zip")
"""Suffixes of files with a checksum: what is read of them is what was written."""

ALLOWED = (OSError, ValueError, ImportError)


class Exploit:
    """An object that leaves a file behind if it is ever unpickled."""

    def __reduce__(self):
        return os.mkdir, ("exploited",)


def saved(save, *args, **kwargs):
    file = io.BytesIO()
    save(file, *args, **kwargs)
    return file.getvalue()


def npy(header, body=ROWS, version=(1, 0), announced=None):
    """Return bytes of the .npy format with any header."""
    text = header.encode("latin1") + b"\n"
    length = struct.pack("<H" if version == (1, 0) else "<I", announced or len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + body


def header(shape, descr="<f4", order=False):
    return f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape}, }}"


def archive(members, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # names that come twice
        for name, content in members:
            opened.writestr(name, content)
    return file.getvalue()


def patched(content, place_of_local, place_of_central, value):
    """Change a byte of both headers of the first member of a zip archive."""
    content = bytearray(content)
    content[place_of_local] = value
    content[content.index(b"PK\1\2") + place_of_central] = value
    return bytes(content)


def text(x=X, words=WORDS, separator=" ", first="", end="\n"):
    lines = [separator.join([word, *(f"{value:.4f}" for value in row)]) for word, row in zip(words, x, strict=True)]
    return end.join([first, *lines, ""] if first else [*lines, ""]).encode()


def word2vec():
    return b"%d %d\n" % X.shape + b"".join(f"w{i} ".encode() + row.tobytes() for i, row in enumerate(X))


def safetensors(tensors, body=ROWS, length=None):
    text = tensors if isinstance(tensors, bytes) else json.dumps(tensors).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def tensor(start=0, end=X.nbytes, dtype="F32", shape=(N, D)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


def tables():
    """Return one table in all formats of tables that Arrow writes."""
    pa = pytest.importorskip("pyarrow")
    feather, parquet = pytest.importorskip("pyarrow.feather"), pytest.importorskip("pyarrow.parquet")
    table = pa.table({"v": pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), D), "word": WORDS, "y": Y})
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return {
        "x.parquet": saved(lambda file: parquet.write_table(table, file)),
        "x.feather": saved(lambda file: feather.write_feather(table, file)),
        "x.arrow": stream.getvalue(),
    }


def good():
    """Return a good file of every format, and of some of them packed."""
    found = {
        "x.npy": saved(np.save, X),
        "x.npz": saved(np.savez_compressed, X=X, y=Y),
        "stored.npz": saved(np.savez, X=X, y=Y),
        "x.safetensors": safetensors({"X": tensor()}),
        "x.txt": text(),
        "x.vec": text(first=f"{N} {D}"),
        "x.bin": word2vec(),
        "x.csv": text(separator=",", first="word,x0,x1,x2"),
        "x.tsv": text(separator="\t"),
        "x.jsonl": b"".join(json.dumps({"v": row, "y": i}).encode() + b"\n" for i, row in enumerate(X.tolist())),
        "x.json": json.dumps([{"v": row, "y": i} for i, row in enumerate(X.tolist())]).encode(),
        **tables(),
    }
    packed = {f"{name}{suffix}": pack(found[name]) for suffix, pack in PACK.items() for name in ("x.npy", "x.vec")}
    zipped = {f"{name}.zip": archive([(name, found[name])]) for name in ("x.npy", "x.csv", "x.parquet")}
    return {**found, **packed, **zipped}


GOOD = good()


def read(path, **options):
    """Read a file, and return the rows, or None where it is refused by a message that names the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the first rows of a larger file
            return load_embeddings(path, **options)
    except ValueError as error:
        if path.name not in str(error):
            raise
        return None


def report(file, labels=None, paired=None):
    """Return whether a report takes the files."""
    try:
        read_space(str(file), labels and str(labels), paired and str(paired))
    except ALLOWED:
        return False
    return True


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory, in which nothing was unpickled at the end."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / "exploited").exists()


def test_there_is_a_good_file_of_every_format():
    assert {f".{name.split('.')[1]}" for name in GOOD} == {*UNNAMED, *NAMED}


@pytest.mark.parametrize("name", GOOD)
def test_good_files_are_read(folder, name):
    (folder / name).write_bytes(GOOD[name])
    found = read(folder / name)
    np.testing.assert_array_equal(found.data.astype(np.float32), X)
    assert found.words is None or found.words.tolist() == WORDS
    assert report(name, paired=name)


@pytest.mark.parametrize("name", GOOD)
def test_cut_files_are_refused_or_read_as_far_as_they_go(folder, name):
    content = GOOD[name]
    for size in {0, 1, 5, 6, 8, 10, 30, 100, *range(0, len(content), len(content) // 12), len(content) - 1}:
        (folder / name).write_bytes(content[:size])
        found = read(folder / name)
        assert found is None or (name.endswith((".txt", ".vec", ".csv", ".tsv", ".jsonl")) and len(found.data) <= N)
        report(name, labels=name)


@pytest.mark.parametrize("name", GOOD)
def test_files_of_which_some_bytes_changed_are_right_or_refused(folder, name):
    rng = np.random.default_rng(len(name))
    for trial in range(60):
        content = bytearray(GOOD[name])
        near = 200 if trial % 2 else len(content)  # headers matter more than their size says
        for place in rng.integers(0, min(near, len(content)), 3):
            content[place] = rng.integers(256)
        (folder / name).write_bytes(content)
        found = read(folder / name)
        if found is not None and name.endswith(CHECKED):
            np.testing.assert_array_equal(found.data.astype(np.float32), X)
        report(name, labels=f"{name}:y")


HOSTILE = {
    "rows.npy": npy(header((10**12, D))),
    "long.npy": npy(header((2**63, D))),
    "wraps.npy": npy(header((2**62, 4))),
    "negative.npy": npy(header((-N, D))),
    "twice.npy": npy(header((-N, -D))),
    "fraction.npy": npy(header((40.0, D))),
    "truth.npy": npy(header((True, D))),
    "word.npy": npy(header("'40'")),
    "half.npy": npy("{'descr': '<f4', 'shape': (40, 3)}"),
    "open.npy": npy("{'descr': '<f4', 'shape': (40, "),
    "call.npy": npy("__import__('os').mkdir('exploited')"),
    "deep.npy": npy("(" * 3000 + ")" * 3000),
    "wide.npy": npy(header((N, D)) + " " * 60_000),
    "huge.npy": npy("{", version=(2, 0), announced=2**32 - 1),
    "new.npy": npy(header((N, D)), version=(9, 0)),
    "objects.npy": npy(header((N, D), "|O"), pickle.dumps(Exploit())),
    "pickle.npy": pickle.dumps(Exploit()),
    "cut.npy.gz": gzip.compress(npy(header((N, D)), X.tobytes()[:-4])),
    "rows.npy.gz": gzip.compress(npy(header((10**12, D)))),
    "none.npz": archive([]),
    "other.npz": archive([("readme.txt", "hello")]),
    "junk.npz": archive([("X.npy", b"junk")]),
    "rows.npz": archive([("X.npy", npy(header((10**12, D))))]),
    "short.npz": archive([("X.npy", npy(header((N, D)), X.tobytes()[:-4]))]),
    "objects.npz": archive([("X.npy", npy(header((N, D), "|O"), pickle.dumps(Exploit())))]),
    "locked.npz": patched(archive([("X.npy", GOOD["x.npy"])]), 6, 8, 1),
    "method.npz": patched(archive([("X.npy", GOOD["x.npy"])]), 8, 10, 99),
    "locked.zip": patched(archive([("x.npy", GOOD["x.npy"])]), 6, 8, 1),
    "empty.zip": archive([]),
    "fake.npz": GOOD["x.npy"],
    "fake.npy": GOOD["x.npz"],
    "fake.parquet": GOOD["x.csv"],
    "fake.csv": GOOD["x.parquet"],
    "fake.vec": GOOD["x.bin"],
    "fake.bin": GOOD["x.npy"],
    "fake.gz": b"hello",
    "fake.vec.xz": GOOD["x.vec"],
    "footer.parquet": GOOD["x.parquet"][:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1",
    "overlap.safetensors": safetensors({"a": tensor(), "b": tensor(4, X.nbytes + 4)}, X.tobytes() * 2),
    "beyond.safetensors": safetensors({"a": tensor()}, b"short"),
    "hole.safetensors": safetensors({"a": tensor(8, X.nbytes + 8)}, b" " * 8 + X.tobytes()),
    "rows.safetensors": safetensors({"a": tensor(shape=(10**12, D))}),
    "wraps.safetensors": safetensors({"a": tensor(shape=(2**62, 2**62))}),
    "length.safetensors": safetensors(b"{}", length=2**60),
    "json.safetensors": safetensors(b"[" * 10_000),
    "eight.safetensors": safetensors({"a": tensor(0, N * D, "F8_E4M3")}),
    "fewer.vec": text(first=f"{N - 1} {D}"),
    "more.vec": text(first=f"{N + 1} {D}"),
    "trillion.vec": text(first=f"{10**12} {D}"),
    "broad.vec": text(first=f"{N} {10**12}"),
    "narrow.vec": text(first=f"{N} {D - 1}"),
    "digits.vec": text(first=f"{N} {'9' * 5000}"),
    "nothing.vec": text(first=f"{N} 0"),
    "header.vec": b"40 3\n",
    "comma.vec": text().replace(b".", b","),
    "hex.vec": text().replace(b"w0 ", b"w0 0x1"),
    "short.vec": text() + b"w 1.0 2.0\n",
    "long.vec": text() + b"w 1.0 2.0 3.0 4.0\n",
    "whole.vec": text() + b"w 1 2 3 4\n",
    "utf16.vec": text().decode().encode("utf-16"),
    "carriage.vec": text(end="\r"),
    "numbers.txt": b"1.5 2.5 3.5\n" * N,
    "counts.txt": b"1 2 3\n" * N,
    "blank.txt": b" \n\n \t\n",
    "noise.txt": np.random.default_rng(0).bytes(5000),
    "broad.bin": b"40 99999999999999\n" + bytes(1000),
    "rows.bin": b"999999999999 3\n" + bytes(1000),
    "digits.bin": b"9" * 5000 + b" 3\n",
    "noword.bin": b"2 3\n" + b"x" * 200_000,
    "rows.bin.gz": gzip.compress(b"99999999999999 300\n" + bytes(1000)),
    "nul.csv": b"a\0,b\n" * N,
    "ragged.csv": b"x0,x1\n1,2\n3\n",
    "twice.csv": b"x,x\n1,2\n3,4\n",
    "quote.csv": b'x0,x1\n"1,2\n3,4\n',
    "utf16.csv": "x0,x1\n1,2\n3,4\n".encode("utf-16"),
    "cell.csv": b"v\n" + b'"[1, 2, ...]"\n' * 3,
    "mixed.jsonl": b'{"v": [1, 2]}\n{"v": "two"}\n',
    "scalar.jsonl": b"1\n2\n",
    "deep.jsonl": b"[" * 100_000,
    "deep.json": b"[" * 100_000,
    "deeper.json": b"[[1, 2], " + b"[" * 100_000,
    "digits.json": b"[[" + b"9" * 5000 + b", 1]]",
    "object.json": b'{"v": [[1, 2], [3, 4]]}',
    "utf16.json": "[[1, 2], [3, 4]]".encode("utf-16"),
    "suffix.mat": b"",
    "model.pkl": pickle.dumps(Exploit()),
    "words.kv": pickle.dumps(Exploit()),
}
"""Files that must be refused."""


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(folder, name):
    (folder / name).write_bytes(HOSTILE[name])
    (folder / "good.npy").write_bytes(GOOD["x.npy"])
    for key in (None, "a", "X"):
        assert read(folder / name, key=key) is None
    assert not report(name)
    assert not report("good.npy", paired=name)
    assert not report("good.npy", labels=name)


BOMBS = {
    "line.vec.gz": lambda file: file.write(bytes(300 << 20)),
    "quoted.csv.gz": lambda file: file.write(b'"' + b"x" * (300 << 20)),
    "line.jsonl.gz": lambda file: file.write(b'{"v": [' + b"1," * (150 << 20)),
    "element.json.gz": lambda file: file.write(b"[[" + b"1," * (150 << 20)),
    "blanks.json.gz": lambda file: file.write(b"[[1, 2]," + b" " * (300 << 20)),
    "word.bin.gz": lambda file: file.write(b"2 3\n" + b"x" * (300 << 20)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_small_files_that_unpack_to_large_ones_do_not_fill_the_memory(folder, name):
    with gzip.open(folder / name, "wb", compresslevel=1) as file:
        BOMBS[name](file)
    tracemalloc.start()
    try:
        assert read(folder / name) is None
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


ODD = {
    "fortran.npy": npy(header((N, D), order=True), X.T.tobytes()),
    "fortran.npy.gz": gzip.compress(npy(header((N, D), order=True), X.T.tobytes())),
    "big.npy": npy(header((N, D), ">f4"), X.astype(">f4").tobytes()),
    "three.npy": npy(header((N, D)), version=(3, 0)),
    "one.npy": npy(header((N, 1, D))),
    "bzip.npz": archive([("X.npy", GOOD["x.npy"])], zipfile.ZIP_BZIP2),
    "folder.zip": archive([("deep/er/x.npy", GOOD["x.npy"]), ("deep/", b"")]),
    "a:b.npz": GOOD["x.npz"],
    "x.VEC": text(),
    "name\n\x1b[31m.npy": GOOD["x.npy"],
    "windows.vec": text(first=f"{N} {D}", end="\r\n"),
    "mark.vec": b"\xef\xbb\xbf" + text(first=f"{N} {D}"),
    "mark.csv": b"\xef\xbb\xbf" + GOOD["x.csv"],
    "windows.csv": GOOD["x.csv"].replace(b"\n", b"\r\n"),
    "blanks.vec": text(separator="  "),
    "tabs.vec": text(separator="\t", first=f"{N}\t{D}"),
    "empty.vec": text().replace(b"\n", b"\n\n"),
    "last.vec": text()[:-1],
    "nan.vec": text(words=["nan", "inf", "1e5", "NULL", *WORDS[4:]], first=f"{N} {D}"),
    "digits.txt": text(words=[str(i) for i in range(N)]),
    "phrases.txt": text(words=[f"New York {word}" for word in WORDS]),
    "latin.vec": text().replace(b"w", b"\xe9"),
    "separators.vec": text(words=["a\u2028b", "\u0085", "\u00a0", *WORDS[3:]]),
    "same.vec": text(words=["w"] * N),
    "array.jsonl": b"".join(json.dumps(row).encode() + b"\n" for row in X.tolist()),
    "array.json": json.dumps(X.tolist()).encode(),
    "semicolons.csv": GOOD["x.csv"].replace(b",", b";").replace(b".", b","),
    "quotes.vec": text(words=['"', "'", "#", *WORDS[3:]]),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_read(folder, name):
    (folder / name).write_bytes(ODD[name])
    np.testing.assert_array_equal(read(folder / name).data.astype(np.float32), X)
    assert report(name)
    assert "X" not in name or report(f"{name}:X", labels=f"{name}:y")


def test_names_of_arrays_and_files_may_have_colons(folder):
    np.savez("c:d.npz", **{"a:b": X, "y:z": Y})
    assert report("c:d.npz:a:b", labels="c:d.npz:y:z")
    assert not report("c:d.npz:a")


def test_what_a_file_does_not_need_may_be_broken(folder):
    (folder / "x.npz").write_bytes(archive([("X.npy", GOOD["x.npy"]), ("y.npy", npy(header((N,), "|O"), b"junk"))]))
    np.testing.assert_array_equal(read(folder / "x.npz").data, X)
    (folder / "w.npz").write_bytes(
        archive([("X.npy", GOOD["x.npy"]), ("w.npy", npy(header((N,), "<U1"), b"\xff" * 160))])
    )
    with pytest.raises(ValueError, match="code points that Unicode does not have"):
        load_embeddings(folder / "w.npz")


@pytest.mark.parametrize(
    "path", ["", "missing.npy", "nul\0.npy", "x" * 5000 + ".npy", "loop.npy", "pipe.npy", "/dev/null"]
)
def test_paths_that_are_no_files_are_refused(folder, path):
    (folder / "loop.npy").symlink_to("loop.npy")
    os.mkfifo(folder / "pipe.npy")
    with pytest.raises((OSError, ValueError)):
        load_embeddings(path)
    assert not report(path)


LABELS = {
    "lines.txt": (b"".join(b"class %d\n" % y for y in Y), True),
    "first.txt": (b"label\n" + b"".join(b"%d\n" % y for y in Y), True),
    "windows.txt": (b"".join(b"%d\r\n" % y for y in Y), True),
    "mark.txt": (b"\xef\xbb\xbf" + b"".join(b"%d\n" % y for y in Y), True),
    "escape.txt": (b"".join(b"\x1b[%dm\n" % y for y in Y), True),
    "long.txt": (b"".join(b"%d" % y * 50_000 + b"\n" for y in Y), True),
    "quoted.csv": (b"".join(b'"a, ""b"" %d"\n' % y for y in Y), True),
    "few.txt": (b"a\nb\n", False),
    "none.txt": (b"", False),
    "gap.txt": (b"a\n\n" * (N // 2), False),
    "same.txt": (b"a\n" * N, False),
    "each.txt": (b"".join(b"%d\n" % i for i in range(N)), False),
    "utf16.txt": ("a\nb\n" * (N // 2)).encode("utf-16"),
    "columns.csv": (b"id,label\n" + b"".join(b"%d,%d\n" % (i, y) for i, y in enumerate(Y)), False),
    "columns.csv:label": (b"id,label\n" + b"".join(b"%d,%d\n" % (i, y) for i, y in enumerate(Y)), True),
    "ragged.csv:label": (b"id,label\n0\n" + b"".join(b"%d,%d\n" % (i, y) for i, y in enumerate(Y[1:])), False),
    "cell.csv:label": (b"label,text\n" + b"a,b\n" * (N - 1) + b"a," + b"x" * 200_000 + b"\n", False),
    "y.npy": (saved(np.save, Y), True),
    "rows.npy": (npy(header((10**12,)), b""), False),
    "complex.npy": (saved(np.save, np.exp(1j * Y)), False),
    "column.npy": (saved(np.save, Y[:, None]), False),
    "nan.npy": (saved(np.save, np.where(Y, Y, np.nan)), False),
    "objects.npy": (npy(header((N,), "|O"), pickle.dumps(Exploit())), False),
    "x.npz:y": (GOOD["x.npz"], True),
    "x.npz:X": (GOOD["x.npz"], False),
    "x.parquet:y": (GOOD["x.parquet"], True),
    "x.parquet:word": (GOOD["x.parquet"], False),
    "x.feather:z": (GOOD["x.feather"], False),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_read_or_refused(folder, name):
    content, is_good = LABELS[name] if isinstance(LABELS[name], tuple) else (LABELS[name], False)
    (folder / "good.npy").write_bytes(GOOD["x.npy"])
    (folder / name.partition(":")[0]).write_bytes(content)
    assert report("good.npy", labels=name) == is_good
