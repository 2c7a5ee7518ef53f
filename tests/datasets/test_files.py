"""Every format comes back as it was written, and every broken file is refused with its reason."""

import gzip
import json
import struct
import sys

import numpy as np
import pytest

from skgeom.datasets import load_embeddings
from skgeom.datasets._files import _tables
from skgeom.datasets._files._labels import read_labels

X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
WORDS = ["the", "new york", "windows 95", "naïve", "3.1"]
GLOVE = "".join(f"{word} {' '.join(map(repr, map(float, row)))}\n" for word, row in zip(WORDS, X, strict=True))
WORD2VEC = f"5 3\n{GLOVE}"
SAFETENSORS_DTYPES = {"float32": "F32", "float16": "F16", "float64": "F64", "int8": "I8", "uint16": "BF16"}


def write_npy(path, x):
    np.save(path, x)


def write_npz(path, x):
    np.savez(path, embeddings=x)


def write_parquet(path, x):
    pa = pytest.importorskip("pyarrow")
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), x.shape[1])
    pytest.importorskip("pyarrow.parquet").write_table(pa.table({"embeddings": vectors}), path)


def write_safetensors(path, x):
    pytest.importorskip("safetensors.numpy").save_file({"embeddings": x}, path)


def write_raw_safetensors(path, **tensors):
    """Write tensors of any dtype by the format's definition; uint16 stands for bfloat16."""
    header, start = {}, 0
    for name, x in tensors.items():
        end = start + x.nbytes
        header[name] = {
            "dtype": SAFETENSORS_DTYPES[x.dtype.name],
            "shape": x.shape,
            "data_offsets": [start, end],
        }
        start = end
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(x.tobytes() for x in tensors.values()))


def write_parquet_columns(path, columns, **options):
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pa.table(columns), path, **options)


WRITERS = {".npy": write_npy, ".npz": write_npz, ".parquet": write_parquet, ".safetensors": write_safetensors}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("suffix", [*WRITERS, ".NPY"])
def test_binary_formats_keep_values_and_precision(tmp_path, suffix, dtype):
    path = tmp_path / f"x{suffix.lower()}"
    WRITERS[suffix.lower()](path, X.astype(dtype))
    path = path.rename(tmp_path / f"x{suffix}")
    read = load_embeddings(str(path))
    assert read.data.dtype == dtype
    assert read.words is None
    np.testing.assert_array_equal(read.data, X.astype(dtype))


@pytest.mark.parametrize("text", [GLOVE, WORD2VEC], ids=["glove", "word2vec"])
@pytest.mark.parametrize("suffix", [".txt", ".vec", ".6B.txt", ".txt.gz", ".vec.gz"])
def test_text_comes_back_with_its_words(tmp_path, suffix, text):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(gzip.compress(text.encode()) if suffix.endswith("gz") else text.encode())
    read = load_embeddings(path)
    assert read.words.tolist() == WORDS
    assert read.data.dtype == np.float32
    np.testing.assert_array_equal(read.data, X)


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b.replace(b"\n", b"\r\n"),
        lambda b: b.replace(b"\n", b" \n"),
        lambda b: b.replace(b"\n", b"\n\n"),
        lambda b: b.rstrip(b"\n"),
        lambda b: b"\xef\xbb\xbf" + b,
        lambda b: b.replace(b" ", b"\t").replace(b"new\tyork", b"new york").replace(b"windows\t95", b"windows 95"),
    ],
    ids=["windows", "trailing blank", "empty lines", "no last newline", "byte order mark", "tabs"],
)
@pytest.mark.parametrize("text", [GLOVE, WORD2VEC], ids=["glove", "word2vec"])
def test_text_is_read_whatever_its_white_space(tmp_path, text, change):
    path = tmp_path / "x.txt"
    path.write_bytes(change(text.encode()))
    read = load_embeddings(path)
    assert read.words.tolist() == WORDS
    np.testing.assert_array_equal(read.data, X)


def test_broken_bytes_are_replaced_and_unicode_blanks_belong_to_words(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"\xff\xfe 1 2\na\xc2\xa0b 3 4\n\xe2\x80\xa8 5 6\n")
    read = load_embeddings(path)
    assert read.words.tolist() == ["\ufffd\ufffd", "a\xa0b", "\u2028"]
    assert read.data.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_long_text_is_read_across_blocks(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("".join(f"{'big ' * (i == 2500)}w{i} {i} -{i}\n" for i in range(3000)))
    read = load_embeddings(path)
    np.testing.assert_array_equal(read.data, np.arange(3000)[:, None] * [1, -1])
    assert read.words[[0, 2500, 2999]].tolist() == ["w0", "big w2500", "w2999"]


@pytest.mark.parametrize("blank", [" ", "  ", "\t"])
@pytest.mark.parametrize("every", [1, 7])
def test_words_of_several_parts_end_where_the_numbers_begin(tmp_path, blank, every):
    words = [f"a 7  b\tc{i}" if i % every == 0 else f"w{i}" for i in range(40)]
    (tmp_path / "x.txt").write_text("".join(f"{w}{blank}{i}{blank}-{i}\n" for i, w in enumerate(words)))
    read = load_embeddings(tmp_path / "x.txt")
    assert read.words.tolist() == words
    np.testing.assert_array_equal(read.data, np.arange(40)[:, None] * [1, -1])


def test_npy_is_memory_mapped_and_read_only(tmp_path):
    np.save(tmp_path / "x.npy", X)
    data = load_embeddings(tmp_path / "x.npy").data
    assert isinstance(data, np.memmap)
    assert not data.flags.writeable


def test_npz_finds_the_only_matrix_of_floats_and_its_words(tmp_path):
    np.savez(tmp_path / "x.npz", mean=X[0], codes=np.eye(5, dtype=int), vectors=X, words=np.array(WORDS))
    read = load_embeddings(tmp_path / "x.npz")
    np.testing.assert_array_equal(read.data, X)
    assert read.words.tolist() == WORDS


@pytest.mark.parametrize("order", "<>")
def test_npz_of_either_byte_order_has_its_words(tmp_path, order):
    np.savez(tmp_path / "x.npz", X=X.astype(f"{order}f8"), words=np.array(WORDS).astype(f"{order}U40"))
    read = load_embeddings(tmp_path / "x.npz", labels="words")
    np.testing.assert_array_equal(read.data, X)
    assert read.words.tolist() == read.labels.tolist() == WORDS


def test_bytes_are_words_and_labels_of_text(tmp_path):
    words = np.array([word.encode() for word in WORDS])
    np.savez(tmp_path / "x.npz", vectors=X, words=words)
    assert load_embeddings(tmp_path / "x.npz").words.tolist() == WORDS
    assert load_embeddings(tmp_path / "x.npz", labels="words", limit=2).labels.tolist() == WORDS[:2]
    np.save(tmp_path / "y.npy", words)
    assert read_labels(tmp_path / "y.npy", None, len(X))[0].tolist() == WORDS
    np.savez(tmp_path / "x.npz", vectors=X, words=np.array([b"\xff"] * len(X)))
    with pytest.raises(ValueError, match=r"x\.npz: expected UTF-8 text, got other bytes"):
        load_embeddings(tmp_path / "x.npz")


def test_key_decides_among_arrays(tmp_path):
    np.savez(tmp_path / "x.npz", a=X, b=2 * X)
    np.testing.assert_array_equal(load_embeddings(tmp_path / "x.npz", key="b").data, 2 * X)


@pytest.mark.parametrize("names", [["w"], ["a", "w", "z"]])
def test_bfloat16_becomes_float32_exactly(tmp_path, names):
    pytest.importorskip("safetensors")
    halves = (X.view(np.uint32) >> 16).astype(np.uint16)
    others = {name: np.zeros((2, 1), np.int8) for name in names if name != "w"}
    write_raw_safetensors(tmp_path / "x.safetensors", **{name: {**others, "w": halves}[name] for name in names})
    read = load_embeddings(tmp_path / "x.safetensors")
    assert read.data.dtype == np.float32
    np.testing.assert_array_equal(read.data.view(np.uint32), halves.astype(np.uint32) << 16)


@pytest.mark.parametrize("kind", ["list_", "large_list"])
def test_parquet_lists_are_vectors_and_strings_words(tmp_path, kind):
    pa = pytest.importorskip("pyarrow")
    vectors = pa.array(X.tolist(), getattr(pa, kind)(pa.float32()))
    write_parquet_columns(tmp_path / "x.parquet", {"w": WORDS, "v": vectors, "label": range(5)}, row_group_size=2)
    read = load_embeddings(tmp_path / "x.parquet")
    np.testing.assert_array_equal(read.data, X)
    assert read.words.tolist() == WORDS


def test_parquet_vectors_are_one_matrix_across_batches(tmp_path, monkeypatch):
    pa = pytest.importorskip("pyarrow")
    monkeypatch.setattr(_tables, "_BATCH_ROWS", 2)
    numbers = [[1, 2], [3, 4], [5, 6], [7, None], [9, 10]]
    columns = {"v": pa.array(numbers, pa.list_(pa.int32())), "w": WORDS}
    write_parquet_columns(tmp_path / "x.parquet", columns, row_group_size=3)
    read = load_embeddings(tmp_path / "x.parquet")
    np.testing.assert_array_equal(read.data, np.array(numbers, dtype=float))
    assert read.words.tolist() == WORDS
    write_parquet_columns(tmp_path / "x.parquet", {"v": [[1.0, 2.0]] * 4 + [[1.0]]})
    with pytest.raises(ValueError, match="got 2 numbers in row 0 and 1 in row 4"):
        load_embeddings(tmp_path / "x.parquet")


@pytest.mark.parametrize("announced", [4, 6])
def test_parquet_with_other_rows_than_it_announces_is_refused(tmp_path, announced):
    write_parquet_columns(tmp_path / "x.parquet", {"v": [[1.0, 2.0]] * 5})
    content = bytearray((tmp_path / "x.parquet").read_bytes())
    n_rows = content.index(b"\x16\x0a")  # an int64 of 5, stored doubled: the rows of the file, then of its group
    content[n_rows + 1] = 2 * announced
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(ValueError, match=f"damaged.* announces {announced} rows"):
        load_embeddings(tmp_path / "x.parquet")


def test_parquet_numbers_are_features_without_a_column_of_vectors(tmp_path):
    write_parquet_columns(tmp_path / "x.parquet", {"a": X[:, 0], "w": WORDS, "b": [1, 2, 3, 4, None]})
    read = load_embeddings(tmp_path / "x.parquet")
    np.testing.assert_array_equal(read.data, np.column_stack([X[:, 0], [1, 2, 3, 4, np.nan]]))
    assert read.words.tolist() == WORDS


def test_parquet_index_of_pandas_is_no_feature_but_may_be_words_or_labels(tmp_path):
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"a": X[:, 0], "b": X[:, 1], "row": range(10, 15), "word": WORDS})
    pandas = json.dumps({"index_columns": ["row", "word"], "columns": [], "column_indexes": []})
    pytest.importorskip("pyarrow.parquet").write_table(
        table.replace_schema_metadata({"pandas": pandas}), tmp_path / "x.parquet"
    )
    read = load_embeddings(tmp_path / "x.parquet", labels="row")
    np.testing.assert_array_equal(read.data, X[:, :2])
    assert read.words.tolist() == WORDS
    assert read.labels.tolist() == [*range(10, 15)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1 2 3\nb 1 2 3\nc 1 2\n", r"line 3: expected a word and 3 numbers, got 3 fields"),
        ("a 1 2 3\nb 1 2 3\nc .5 1 2 3\n", r"line 3: expected a word and 3 numbers, got more numbers"),
        (
            "a 1 2 3\n\nb 1 x 3\nc 1 2 3\n",
            r"line 3: expected a word and 3 numbers, got b'x' among the numbers",
        ),
        ("a 1 2 3\nnew york 1 2 3\n1 2 3\n", r"line 3: expected a word and 3 numbers, got 3 fields"),
        ("a 1 2 3\nnew york .5 1 2 3\n", r"line 2: expected a word and 3 numbers, got more numbers"),
        ("2 3\na 1 2 3\nb 1,2 3\n", r"line 3: expected a word and 3 numbers, got 3 fields"),
        ("3 3\na 1 2 3\nb 1 2 3\n", r"announces 3 rows, and 2 follow. Download"),
        ("0 3\n", r"is empty: expected rows"),
        ("2 0\na\nb\n", r"is empty: expected rows"),
        ("", r"is empty: expected lines"),
        (" \n\n", r"is empty: expected lines"),
        ("just words\nand more\n", r"a word and its numbers on each line .* b'just words'"),
        ("a,1,2\nb,1,2\n", r"a word and its numbers on each line"),
        ("0.5 1.5\n2.5 3.5\n", r"A table of numbers alone is read by numpy.loadtxt"),
    ],
)
@pytest.mark.parametrize("suffix", [".txt", ".vec.gz"])
def test_broken_text_is_refused_with_its_line(tmp_path, suffix, text, message):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(gzip.compress(text.encode()) if suffix.endswith("gz") else text.encode())
    with pytest.raises(ValueError, match=message):
        load_embeddings(path)


def test_line_number_is_right_in_a_later_block(tmp_path):
    (tmp_path / "x.txt").write_text("a 1 2\n" * 2999 + "b 1\n")
    with pytest.raises(ValueError, match="line 3000: expected a word and 2 numbers, got 2 fields"):
        load_embeddings(tmp_path / "x.txt")


@pytest.mark.parametrize("suffix", [*WRITERS, ".txt.gz"])
@pytest.mark.parametrize("kept", [0, 20, -20])
def test_truncated_file_is_refused(tmp_path, suffix, kept):
    path = tmp_path / f"x{suffix}"
    if suffix == ".txt.gz":
        path.write_bytes(gzip.compress(GLOVE.encode()))
    else:
        WRITERS[suffix](path, X)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"damaged, incomplete|is empty"):
        load_embeddings(path)


@pytest.mark.parametrize("suffix", [*WRITERS, ".txt.gz"])
def test_other_content_than_the_suffix_says_is_refused(tmp_path, suffix):
    (tmp_path / f"x{suffix}").write_text(GLOVE * 10)
    with pytest.raises(ValueError, match="damaged, incomplete or not of the format of its suffix"):
        load_embeddings(tmp_path / f"x{suffix}")


def test_corrupted_npz_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((500, 500)))
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[-200:-150] = b"\xff" * 50
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        load_embeddings(tmp_path / "x.npz")


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_pickled_objects_are_never_read(tmp_path, suffix):
    WRITERS[suffix](tmp_path / f"x{suffix}", np.array([[print, None]], dtype=object))
    with pytest.raises(ValueError, match=r"[oO]bjects"):
        load_embeddings(tmp_path / f"x{suffix}", key="embeddings" if suffix == ".npz" else None)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X[0], r"got \(3,\). x\[None, :\] makes one row a matrix"),
        (X[None], r"got \(1, 5, 3\). Reshape"),
        (X[:0], r"is empty: expected rows and columns, got the shape \(0, 3\)"),
        (np.array([["a", "b"]]), r"expected real numbers, got the dtype <U1"),
        (X + 1j, r"expected real numbers, got the dtype complex"),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_array_that_is_no_numeric_matrix_is_refused(tmp_path, suffix, x, message):
    WRITERS[suffix](tmp_path / f"x{suffix}", x)
    with pytest.raises(ValueError, match=message):
        load_embeddings(tmp_path / f"x{suffix}", key="embeddings" if suffix == ".npz" else None)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (None, r"has 2 matrices of floats. Pass one of these as key: 'a' float32 \(5, 3\), 'b'"),
        ("c", r"has no array 'c'. Pass one of these as key: 'a'"),
    ],
)
def test_ambiguous_or_wrong_key_lists_the_arrays(tmp_path, key, message):
    np.savez(tmp_path / "x.npz", a=X, b=X)
    with pytest.raises(ValueError, match=message):
        load_embeddings(tmp_path / "x.npz", key=key)


def test_long_list_of_arrays_is_cut(tmp_path):
    np.savez(tmp_path / "x.npz", **{f"layer{i}": X for i in range(30)})
    with pytest.raises(ValueError, match=r"'layer9' float32 \(5, 3\) and 20 more"):
        load_embeddings(tmp_path / "x.npz")


@pytest.mark.parametrize("suffix", [".npy", ".txt"])
def test_key_is_refused_where_nothing_has_a_name(tmp_path, suffix):
    (tmp_path / f"x{suffix}").write_text(GLOVE)
    with pytest.raises(ValueError, match="Leave the key out"):
        load_embeddings(tmp_path / f"x{suffix}", key="x")


@pytest.mark.parametrize(
    ("columns", "key", "message"),
    [
        (
            {"a": [[1.0]], "b": [[2.0]]},
            None,
            r"has 2 matrices of floats. .* 'a' list<.*double> \(1, 'd'\), 'b'",
        ),
        ({"a": [1.0]}, "a", r"has no vectors in 'a' double. The columns are 'a' double. A pattern as key"),
        ({"a": ["x"]}, None, r"has no column of vectors, .* The columns are 'a' string"),
        ({"a": [b"x"]}, None, r"The columns are 'a' binary. Bytes do not show"),
        ({"a": [[1.0, 2.0], [3.0]]}, None, r"got 2 numbers in row 0 and 1 in row 1"),
        ({"a": [[1.0, 2.0], None]}, None, r"got 2 numbers in row 0 and 0 in row 1"),
        ({"a": [[], []], "b": [[1.0], [2.0]]}, "a", r"has no vectors in 'a'"),
    ],
)
def test_parquet_without_one_table_of_vectors_is_refused(tmp_path, columns, key, message):
    write_parquet_columns(tmp_path / "x.parquet", columns)
    with pytest.raises(ValueError, match=message):
        load_embeddings(tmp_path / "x.parquet", key=key)


def test_parquet_without_rows_is_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    write_parquet_columns(tmp_path / "x.parquet", {"v": pa.array([], pa.list_(pa.float32()))})
    with pytest.raises(ValueError, match="is empty"):
        load_embeddings(tmp_path / "x.parquet")


def test_safetensors_dtype_unknown_to_numpy_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("safetensors")
    monkeypatch.setitem(SAFETENSORS_DTYPES, "int8", "F8_E4M3")
    write_raw_safetensors(tmp_path / "x.safetensors", w=np.zeros((2, 2), np.int8))
    with pytest.raises(ValueError, match=r"NumPy has no F8_E4M3, the dtype of 'w'. Save it as float32"):
        load_embeddings(tmp_path / "x.safetensors", key="w")


@pytest.mark.parametrize(("suffix", "library"), [(".parquet", "pyarrow"), (".safetensors", "safetensors")])
def test_missing_library_is_named_with_its_remedy(tmp_path, monkeypatch, suffix, library):
    WRITERS[suffix](tmp_path / f"x{suffix}", X)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"without {library}: pip install \"scikit-embedding-geometry\[io\]\""):
        load_embeddings(tmp_path / f"x{suffix}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.mat", r"expected one of .npy, .bin, .*.jsonl, each plain or with .gz, .* got the suffix '.mat'. Rename"),
        ("x.mat.gz", r"got the suffix '.mat'"),
        ("x", r"got the suffix ''"),
        ("words.kv", r"Load it with gensim, and pass load_embeddings the KeyedVectors"),
        ("model.pt", r"holds pickled objects, which are never read"),
    ],
)
def test_unknown_suffix_lists_the_supported_ones(tmp_path, name, message):
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=message):
        load_embeddings(tmp_path / name)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing.npy: expected a file or a folder, got nothing"):
        load_embeddings(tmp_path / "missing.npy")
