"""Whatever holds the embeddings - a packed file, a folder of shards, an object of gensim - the rows are the same."""

import bz2
import gzip
import json
import lzma
import struct
import tracemalloc
import zipfile
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from skgeom.datasets import iter_embeddings, load_embeddings
from skgeom.datasets._files._labels import labels_nearby, read_labels

X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
WORDS = ["the", "b", "naïve", "", "d", "e"]


def npy(path):
    np.save(path, X)


def npz(path):
    np.savez(path, X=X, y=np.arange(len(X)))


def vec(path):
    lines = [f"{word} {' '.join(map(repr, map(float, row)))}\n" for word, row in zip(WORDS, X, strict=True)]
    path.write_text(f"{len(X)} {X.shape[1]}\n" + "".join(lines), encoding="utf-8")


def word2vec(path, newline=b"\n"):
    rows = [word.encode() + b" " + row.tobytes() + newline for word, row in zip(WORDS, X, strict=True)]
    path.write_bytes(b"%d %d\n" % X.shape + b"".join(rows))


def parquet(path):
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pa.table({"v": X.tolist(), "y": range(len(X))}), path)


def feather(path):
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.feather").write_feather(pa.table({"v": X.tolist(), "y": range(len(X))}), path)


def jsonl(path):
    pytest.importorskip("pyarrow.json")
    path.write_text("".join(json.dumps({"v": row, "y": i}) + "\n" for i, row in enumerate(X.tolist())))


def json_array(path):
    pytest.importorskip("pyarrow")
    path.write_text(json.dumps([{"v": row, "y": i} for i, row in enumerate(X.tolist())]))


def csv(path):
    pytest.importorskip("pyarrow.csv")
    path.write_text("a,b,c,y\n" + "".join(f"{','.join(map(repr, row))},{i}\n" for i, row in enumerate(X.tolist())))


def safetensors(path):
    pytest.importorskip("safetensors.numpy").save_file({"X": X, "y": np.arange(len(X))}, path)


WRITERS = {
    ".npy": npy,
    ".npz": npz,
    ".vec": vec,
    ".bin": word2vec,
    ".parquet": parquet,
    ".feather": feather,
    ".jsonl": jsonl,
    ".json": json_array,
    ".csv": csv,
    ".safetensors": safetensors,
}


def pack(path, packing):
    packed = path.with_name(path.name + packing)
    if packing == ".zip":
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, path.name)
    else:
        compress = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[packing]
        packed.write_bytes(compress(path.read_bytes()))
    path.unlink()
    return packed


@pytest.mark.parametrize("packing", [".gz", ".bz2", ".xz", ".zip"])
@pytest.mark.parametrize("suffix", WRITERS)
def test_packed_files_are_read_like_plain_ones(tmp_path, suffix, packing):
    WRITERS[suffix](tmp_path / f"x{suffix}")
    plain = load_embeddings(tmp_path / f"x{suffix}")
    np.testing.assert_array_equal(plain.data, X)
    packed = load_embeddings(pack(tmp_path / f"x{suffix}", packing))
    np.testing.assert_array_equal(packed.data, X)
    assert (packed.words is None) == (plain.words is None) == (suffix not in (".vec", ".bin"))


@pytest.mark.parametrize("limit", [1, 4, 6, 100])
@pytest.mark.parametrize("suffix", [*WRITERS, ".npy.gz"])
def test_limit_reads_the_first_rows(tmp_path, suffix, limit):
    plain = tmp_path / f"x{suffix.removesuffix('.gz')}"
    WRITERS[plain.suffix](plain)
    read = load_embeddings(pack(plain, ".gz") if suffix.endswith(".gz") else plain, limit=limit)
    np.testing.assert_array_equal(read.data, X[:limit])
    assert read.words is None or read.words.tolist() == WORDS[:limit]


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".feather", ".jsonl", ".csv", ".safetensors"])
def test_labels_of_the_same_file_go_with_the_rows(tmp_path, suffix):
    WRITERS[suffix](tmp_path / f"x{suffix}")
    read = load_embeddings(tmp_path / f"x{suffix}", labels="y", limit=4)
    assert [int(label) for label in read.labels] == [0, 1, 2, 3]
    assert labels_nearby(tmp_path / f"x{suffix}", 6) == "y"
    with pytest.raises(ValueError, match=r"no .*'z'.*y"):
        load_embeddings(tmp_path / f"x{suffix}", labels="z")


def test_an_archive_of_several_files_asks_for_one(tmp_path):
    with zipfile.ZipFile(tmp_path / "glove.6B.zip", "w") as archive:
        archive.writestr("glove.50d.txt", "a 1.5 2.5\nb 3.5 4.5\n")
        archive.writestr("glove.100d.txt", "a 1.5\nb 3.5\n")
    with pytest.raises(ValueError, match=r"holds 2 files, expected one.*key: 'glove.50d.txt', 'glove.100d.txt'"):
        load_embeddings(tmp_path / "glove.6B.zip")
    assert load_embeddings(tmp_path / "glove.6B.zip", key="glove.50d.txt").data.shape == (2, 2)


@pytest.mark.parametrize("newline", [b"\n", b""])
def test_word2vec_binary_comes_back(tmp_path, newline):
    word2vec(tmp_path / "x.bin", newline)
    read = load_embeddings(tmp_path / "x.bin")
    assert read.words.tolist() == WORDS
    np.testing.assert_array_equal(read.data, X)


@pytest.mark.parametrize("newline", [b"\n", b""])
def test_a_blank_in_a_word_of_word2vec_binary_is_refused(tmp_path, newline):
    x = np.random.default_rng(0).normal(size=(40, 50)).astype("<f4")
    rows = (f"place{i % 2 * ' '}{i} ".encode() + row.tobytes() + newline for i, row in enumerate(x))
    (tmp_path / "x.bin").write_bytes(b"40 50\n" + b"".join(rows))
    with pytest.raises(ValueError, match=r"x\.bin: the word of row \d+ begins with bytes of numbers"):
        load_embeddings(tmp_path / "x.bin")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[:-5], "announces 6 rows"),
        (lambda b: b + b"more", "more than the 6 rows"),
        (lambda b: b.replace(b"6 3", b"9 3"), "announces 9 rows"),
        (lambda b: b.replace(b"6 3", b"6 99999999999"), "announces 6 rows of 99,999,999,999 numbers"),
        (lambda b: struct.pack("<i", 793712314) + b, "expected word2vec binary"),
    ],
    ids=["cut", "longer", "more rows", "more columns", "fastText model"],
)
def test_broken_word2vec_binary_is_refused(tmp_path, change, message):
    word2vec(tmp_path / "x.bin")
    (tmp_path / "x.bin").write_bytes(change((tmp_path / "x.bin").read_bytes()))
    with pytest.raises(ValueError, match=message):
        load_embeddings(tmp_path / "x.bin")


@pytest.mark.parametrize("suffix", [*WRITERS, ".vec.gz"])
def test_shards_are_one_array_in_the_order_of_their_numbers(tmp_path, suffix):
    for i, name in enumerate(["part-2", "part-10", "part-1"]):
        path = tmp_path / f"{name}{suffix.removesuffix('.gz')}"
        WRITERS[path.suffix](path)
        if suffix.endswith(".gz"):
            path = pack(path, ".gz")
        if suffix == ".npy":
            np.save(path, X + i)
    (tmp_path / ".hidden.npy").touch()
    (tmp_path / "README.md").touch()
    read = load_embeddings(tmp_path)
    shifts = [2, 0, 1] if suffix == ".npy" else [0, 0, 0]
    np.testing.assert_array_equal(read.data, np.concatenate([X + shift for shift in shifts]))
    assert read.words is None or read.words.tolist() == WORDS * 3
    np.testing.assert_array_equal(load_embeddings(tmp_path, limit=8).data, read.data[:8])


def test_labels_come_from_the_same_shards(tmp_path):
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz", X=X, y=[f"{name}{i}" for i in range(6)])
    assert load_embeddings(tmp_path, labels="y", limit=8).labels.tolist() == [f"a{i}" for i in range(6)] + ["b0", "b1"]


def test_folders_that_are_no_shards_are_refused(tmp_path):
    with pytest.raises(ValueError, match="files of one format, got none"):
        load_embeddings(tmp_path)
    np.save(tmp_path / "a.npy", X)
    np.save(tmp_path / "b.npy", X[:, :2])
    with pytest.raises(ValueError, match=r"b.npy: expected the columns of a.npy, \(3,\), got \(2,\)"):
        load_embeddings(tmp_path)
    vec(tmp_path / "c.vec")
    with pytest.raises(ValueError, match=r"got files of '.npy', '.vec'"):
        load_embeddings(tmp_path)


def test_a_saved_dataset_is_read_by_its_own_list_of_files(tmp_path):
    pa = pytest.importorskip("pyarrow")
    names = ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"]
    for name, x in [*zip(names, (X, -X), strict=True), ("cache-5.arrow", 0 * X)]:
        table = pa.table({"text": WORDS, "embedding": pa.array(x.tolist(), pa.list_(pa.float32())), "label": range(6)})
        with pa.OSFile(str(tmp_path / name), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    (tmp_path / "dataset_info.json").write_text("{}")
    (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    read = load_embeddings(tmp_path, labels="label")
    np.testing.assert_array_equal(read.data, np.concatenate([X, -X]))
    assert read.words.tolist() == WORDS * 2
    assert read.labels.tolist() == [*range(6)] * 2
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        load_embeddings(tmp_path)
    (tmp_path / "train").mkdir()
    (tmp_path / "dataset_dict.json").touch()
    with pytest.raises(ValueError, match=r"several splits: expected one. Name its folder: 'train'"):
        load_embeddings(tmp_path)


def test_keyed_vectors_are_taken_as_they_are():
    vectors = SimpleNamespace(vectors=X, index_to_key=WORDS)
    read = load_embeddings(vectors)
    assert read.data.base is X or read.data is X
    assert read.words.tolist() == WORDS
    assert load_embeddings(vectors, limit=2).data.shape == (2, 3)
    with pytest.raises(ValueError, match="has vectors and words only"):
        load_embeddings(vectors, key="x")


@pytest.mark.parametrize("axis", [0, 1])
def test_pairs_are_rows_of_two(tmp_path, axis):
    np.save(tmp_path / "x.npy", np.stack([X, -X], axis=axis))
    data = load_embeddings(tmp_path / "x.npy", pairs=True).data
    np.testing.assert_array_equal(data, np.stack([X, -X], axis=1))
    shape = r"\(2, 6, 3\)" if axis == 0 else r"\(6, 2, 3\)"
    with pytest.raises(ValueError, match=rf"expected shape \(n_samples, n_features\), got {shape}"):
        load_embeddings(tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(ValueError, match=r"expected shape \(n_samples, 2, n_features\), got \(6, 3\)"):
        load_embeddings(tmp_path / "x.npy", pairs=True)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("limit", [1, 2, 4, 100])
def test_limit_counts_pairs(tmp_path, suffix, axis, limit):
    pairs = np.stack([X, -X], axis=axis)
    if suffix == ".npy":
        np.save(tmp_path / "x.npy", pairs)
    else:
        np.savez(tmp_path / "x.npz", pairs, sides=["left", "right"], y=np.arange(6))
    read = load_embeddings(tmp_path / f"x{suffix}", pairs=True, limit=limit, labels="y" if suffix == ".npz" else None)
    np.testing.assert_array_equal(read.data, np.stack([X, -X], axis=1)[:limit])
    assert read.words is None
    assert read.labels is None or read.labels.tolist() == list(range(6))[:limit]


def test_a_middle_axis_of_one_is_dropped(tmp_path):
    np.save(tmp_path / "x.npy", X[:, None])
    np.testing.assert_array_equal(load_embeddings(tmp_path / "x.npy").data, X)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("4 2\nthe 1 2\n  3 4\nof 5 6\nto 7 8\n", ["the", " ", "of", "to"]),
        ("4 2\nthe 1 2\n\t 3 4\nof 5 6\nto 7 8\n", ["the", "\t", "of", "to"]),
        ("4 2\nthe 1 2\n 3 4\nof 5 6\nto 7 8\n", ["the", "", "of", "to"]),
        ("the .1 2\n  3 4\nof 5 6\nto 7 8\n", ["the", " ", "of", "to"]),
        ("4 2\nversion 2.0 1 2\nof 3 4\nrow 7 5 6\nto 7 8\n", ["version 2.0", "of", "row 7", "to"]),
        ("the .1 2\nwindows 95 .3 .4\nof 5 6\nto 7 8\n", ["the", "windows 95", "of", "to"]),
        ("1 .1 .2\n2 .3 .4\n3 5 6\n4 7 8\n", ["1", "2", "3", "4"]),
    ],
)
def test_unusual_words_are_read_where_other_lines_settle_the_width(tmp_path, text, words):
    (tmp_path / "x.txt").write_text(text)
    read = load_embeddings(tmp_path / "x.txt")
    assert read.words.tolist() == words
    np.testing.assert_array_equal(read.data[2:], [[5, 6], [7, 8]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2 2\n 1 2\n 3 4\n", "expected a word before the numbers of each line, got none"),
        ("1 2 3\n4 5 6\n", "A table of numbers alone is read by numpy.loadtxt"),
        ("2 1\na .1 .2\nb .3 .4\n", "announces 1 numbers, and most lines have more"),
        ("a .1 .2\nb .3 .4\nc 3.0 .5 .6\n", "line 3: expected a word and 2 numbers, got more numbers"),
        (
            "chapter 1 .1 .2\nchapter 2 .3 .4\n",
            "integer 1 before the fractions .* may end a word or be the first number",
        ),
        ("a 1 .1 .2\nb 0 .3 .4\n", "Put a header line before them"),
        ("a 1 2\nb 3 4\nc 3 5 6\n", "line 3: expected a word and 2 numbers, got more numbers"),
        ("a .1 .2\rb .3 .4\r", "its lines end in carriage returns alone"),
        ("5 2\na .1 .2\nb .3 .4\n", None),
        ("5 2\na .1 .2\nb .3 .4", "announces 5 rows, and 2 follow"),
        ("3 2\na .1 .2\nb .3 .4\n", "announces 3 rows, and 2 follow"),
        ("1 2\na .1 .2\nb .3 .4\n", "announces 1 rows, and 2 follow"),
    ],
)
def test_text_that_nothing_settles_is_refused(tmp_path, text, message):
    (tmp_path / "x.txt").write_bytes(text.encode())
    if message is None:
        with pytest.warns(UserWarning, match="announces 5 rows, and 2 follow: these are the first rows"):
            assert load_embeddings(tmp_path / "x.txt").data.shape == (2, 2)
        assert load_embeddings(tmp_path / "x.txt", limit=2).data.shape == (2, 2)
    else:
        with pytest.raises(ValueError, match=message):
            load_embeddings(tmp_path / "x.txt")


def test_integers_that_end_words_are_told_from_numbers_by_the_other_lines(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("chapter 1 .1 .2\nchapter 2 .3 .4\nend .5 .6\n")
    assert load_embeddings(path).words.tolist() == ["chapter 1", "chapter 2", "end"]
    path.write_text("a 1 .1\nb 0 .3\nc .5 .6\n")
    assert load_embeddings(path).data[:, 0].tolist() == [1, 0, 0.5]
    path.write_text("2 3\na 1 .1 .2\nb 0 .3 .4\n")
    assert load_embeddings(path).data[:, 0].tolist() == [1, 0]


@contextmanager
def peak_of_arrow():
    """Give a function that returns the most bytes that Arrow held at once."""
    pa = pytest.importorskip("pyarrow")
    usual = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(pool)
    try:
        yield pool.max_memory
    finally:
        pa.set_memory_pool(usual)


@pytest.mark.parametrize(
    "suffix", [".npy.gz", ".npz", ".csv", ".jsonl", ".json", ".parquet", ".feather", ".bin", ".vec"]
)
def test_memory_is_at_most_twice_the_array(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(f"{__name__}.X", np.random.default_rng(0).normal(size=(4000, 500)).round(3).astype(np.float32))
    monkeypatch.setattr(f"{__name__}.WORDS", ["w"] * 4000)
    path = tmp_path / f"x{suffix.removesuffix('.gz')}"
    if suffix == ".csv":
        np.savetxt(path, X, "%.3f", ",", header=",".join(f"x{i}" for i in range(500)), comments="")
    else:
        WRITERS[path.suffix](path)
    path = pack(path, ".gz") if suffix.endswith(".gz") else path
    load_embeddings(path, limit=1)
    with peak_of_arrow() as arrow:
        tracemalloc.start()
        try:
            read = load_embeddings(path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        peak += arrow()
    np.testing.assert_array_equal(read.data, X.astype(read.data.dtype) if suffix != ".csv" else read.data)
    assert read.data.shape == X.shape
    assert peak < 2 * read.data.nbytes + (8 << 20)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.exp(1j * np.arange(6)), "all numbers or all text, got complex128"),
        (np.zeros(6, dtype=[("a", int)]), "all numbers or all text"),
        (np.array([1.0, np.nan] * 3), "label of row 1 is empty or NaN"),
        (np.array(["2020-01-01", "NaT"] * 3, "M8[s]"), "label of row 1 is empty or NaN"),
        (np.array(["a", ""] * 3), "label of row 1 is empty or NaN"),
        (np.array([{}] * 6), "pickled objects, which are never read"),
    ],
)
def test_labels_that_are_no_classes_are_refused(tmp_path, labels, message):
    np.save(tmp_path / "y.npy", labels, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        read_labels(tmp_path / "y.npy", None, 6)


def test_labels_of_mixed_types_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", y=np.arange(3))
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes())
    assert read_labels(tmp_path, None, 6)[0].tolist() == [0, 1, 2, 0, 1, 2]
    pa = pytest.importorskip("pyarrow")
    for name, cells in (("a", [1, 2, 3]), ("b", ["x", "y", "z"])):
        (tmp_path / f"{name}.npz").unlink()
        pytest.importorskip("pyarrow.parquet").write_table(pa.table({"y": cells}), tmp_path / f"{name}.parquet")
    with pytest.raises(ValueError, match="all numbers or all text, got 'int', 'str'"):
        read_labels(tmp_path, None, 6)


def test_a_parquet_file_of_one_row_group_is_never_in_memory_as_a_whole(tmp_path):
    x = np.random.default_rng(0).normal(size=(40_000, 400)).astype(np.float32)
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"v": list(x)}), tmp_path / "x.parquet", row_group_size=len(x))
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    held = [pool.bytes_allocated() for _ in iter_embeddings(tmp_path / "x.parquet")]
    assert len(held) == 10
    assert max(held) - before < 16 << 20 < x.nbytes / 3
