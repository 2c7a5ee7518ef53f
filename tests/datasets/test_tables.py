"""Tables of every format give the same vectors; what is not a feature never becomes one."""

import json
from functools import partial

import numpy as np
import pytest

from skgeom.datasets import iter_embeddings, load_embeddings
from skgeom.datasets._files import _delimited, _json
from skgeom.datasets._files._labels import read_labels

pa = pytest.importorskip("pyarrow")
feather = pytest.importorskip("pyarrow.feather")
parquet = pytest.importorskip("pyarrow.parquet")

N, D = 30, 4
X = np.random.default_rng(0).normal(size=(N, D)).round(6)
WORDS = [f'w{i}, "é"' for i in range(N)]
SERIES = {f"dim_{i}": X[:, i] for i in range(D)}
COLOURS = ["red", "blue", "01"] * (N // 3)


def write_stream(table, path):
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)


def write_lines(table, path):
    path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))


def write_array(table, path):
    path.write_text(json.dumps(table.to_pylist(), indent=1))


def write_csv(table, path, point="."):
    text = {
        name: [cell if isinstance(cell, str) else repr(cell) for cell in table[name].to_pylist()]
        if not pa.types.is_floating(table[name].type)
        else [repr(cell).replace(".", point) for cell in table[name].to_pylist()]
        for name in table.column_names
    }
    separator = ";" if point == "," else "\t" if path.suffix == ".tsv" else ","
    quoted = [[f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row] for row in zip(*text.values(), strict=True)]
    path.write_text("".join(separator.join(row) + "\n" for row in [table.column_names, *quoted]))


WRITERS = {
    "x.parquet": lambda table, path: parquet.write_table(table, path, row_group_size=7),
    "x.feather": lambda table, path: feather.write_feather(table, path, chunksize=7),
    "x.arrow": write_stream,
    "x.jsonl": write_lines,
    "lines.json": write_lines,
    "array.json": write_array,
    "x.csv": write_csv,
    "european.csv": partial(write_csv, point=","),
    "x.tsv": write_csv,
}


@pytest.fixture(params=WRITERS)
def write(request, tmp_path, monkeypatch):
    """Write columns in one of the formats, which are then read in several batches."""
    for module in (_delimited, _json):
        monkeypatch.setattr(module, "_BLOCK_BYTES", 1000)

    def written(columns):
        path = tmp_path / request.param
        WRITERS[request.param](columns if isinstance(columns, pa.Table) else pa.table(columns), path)
        return path

    return written


def lists(x, kind=None):
    return pa.array(x.tolist(), kind or pa.list_(pa.float64()))


@pytest.mark.parametrize(
    "vectors",
    [
        pytest.param(lists(X), id="list"),
        pytest.param(lists(X, pa.list_(pa.float64(), D)), id="fixed-size list"),
        pytest.param(lists(X, pa.large_list(pa.float64())), id="large list"),
        pytest.param(lists(X[:, None], pa.list_(pa.list_(pa.float64()))), id="n x 1 x d"),
        pytest.param(pa.array([str(x.tolist()) for x in X]), id="text with commas"),
        pytest.param(pa.array([" ".join(map(str, x)) for x in X]), id="text with blanks"),
        pytest.param(pa.array([f"[{x[0]} {x[1]}\n {x[2]}  {x[3]}]" for x in X]), id="text of numpy"),
    ],
)
def test_vectors_come_back_with_words_and_labels(write, vectors):
    path = write({"id": range(N), "vector": vectors, "word": WORDS, "score": X[:, 0]})
    for key in (None, "vector"):
        read = load_embeddings(path, key=key, labels="id")
        np.testing.assert_array_equal(read.data, X)
        assert read.words.tolist() == WORDS
        assert read.feature_names is None
        assert [int(label) for label in read.labels] == list(range(N))


def test_columns_of_a_series_are_features_and_nothing_else_is(write):
    path = write({"doc_id": range(N), **SERIES, "label": X[:, 3], "word": WORDS, "n_tokens": range(N)})
    read = load_embeddings(path)
    np.testing.assert_array_equal(read.data, X)
    assert read.feature_names == list(SERIES)
    assert read.words.tolist() == WORDS
    np.testing.assert_array_equal(load_embeddings(path, key="dim_[02]").data, X[:, [0, 2]])


@pytest.mark.parametrize("limit", [1, 7, 11, N, N + 5])
def test_limit_reads_the_first_rows(write, limit):
    path = write({"vector": lists(X), "word": WORDS})
    read = load_embeddings(path, labels="word", limit=limit)
    np.testing.assert_array_equal(read.data, X[:limit])
    assert read.words.tolist() == read.labels.tolist() == WORDS[:limit]


def test_labels_are_read_from_a_column(write):
    path = write({**SERIES, "colour": COLOURS, "word": WORDS})
    values, note = read_labels(path, "colour", N)
    assert values.tolist() == COLOURS
    assert note == ""
    with pytest.raises(ValueError, match=r"no (single )?column 'color'.*colour"):
        read_labels(path, "color", N)


def parquet_file(tmp_path, columns):
    parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    return tmp_path / "x.parquet"


FEW = {"a": [1.0, 2.0], "b": [3.0, 4.0]}


@pytest.mark.parametrize(
    ("columns", "kept"),
    [
        ({"0": [1.0, 2.0], "1": [1.0, 2.0], "target": [0.5, 0.25]}, ["0", "1"]),
        ({"x1": [1, 2], "x2": [3, 4], "y": [0.5, 0.25]}, ["x1", "x2"]),
        ({**FEW, "row": [0, 1]}, ["a", "b"]),
        ({"a": [1, 2], "b": [3.0, 4.0]}, ["a", "b"]),
        ({"left": [1.0, 2.0], "right": [1.0, 2.0]}, ["left", "right"]),
        ({"f0": [1.0, 2.0], "f1": [1.0, 2.0], "is_good": [True, False]}, ["f0", "f1"]),
        ({"v.0.x": [1.0, 2.0], "v.1.x": [1.0, 2.0], "similarityScore": [1.0, 2.0]}, ["v.0.x", "v.1.x"]),
        ({"": [0, 1], "left": [1.0, 2.0], "right": [1.0, 2.0]}, ["left", "right"]),
        ({"only": [1.0, 2.0]}, ["only"]),
    ],
)
def test_names_and_types_settle_which_columns_are_features(tmp_path, columns, kept):
    assert load_embeddings(parquet_file(tmp_path, columns)).feature_names == kept


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"x1": [1.0, 2.0], "x2": [1.0, 2.0], "height": [1.0, 2.0]}, "'height' double may be features or not"),
        ({"x1": [1.0, 2.0], "x2": [1.0, 2.0], "x3": ["1,5", "2,5"]}, "'x3' string may be features or not"),
        ({"x1": [1.0, 2.0], "x2": [1.0, 2.0], "v": ["1 5 2", "2 5 1"]}, "1 columns of vectors as text and 1 series"),
        ({"v": ["1,5", "2,5"]}, "'v' string"),
        ({"x1": [1.0, 2.0], "x2": [1.0, 2.0], "z1": [1.0, 2.0], "z2": [1.0, 2.0]}, "'z2' double"),
        ({"left": [1.0, 2.0], "label": [1.0, 2.0]}, "'label' double"),
        ({"left": [1.0, 2.0], "right": [1, 2]}, "'right' int64"),
        ({"score_1": [1.0, 2.0], "score_2": [1.0, 2.0]}, "'score_1' double"),
        ({"label": [1, 2]}, "'label' int64"),
        ({"when": pa.array([1, 2], pa.timestamp("s"))}, r"'when' timestamp\[ms\]"),
    ],
)
def test_what_names_and_types_leave_open_is_refused_with_its_columns(tmp_path, columns, named):
    with pytest.raises(ValueError, match=f"{named}.* A pattern as key takes several columns"):
        load_embeddings(parquet_file(tmp_path, columns))


def test_vectors_of_floats_come_before_lists_of_integers(tmp_path):
    path = parquet_file(tmp_path, {"input_ids": [[1, 2], [3]], "vector": [[1.5, 2.5], [3.5, 4.5]]})
    assert load_embeddings(path).data.tolist() == [[1.5, 2.5], [3.5, 4.5]]
    path = parquet_file(tmp_path, {"codes": [[1, 2], [3, 4]]})
    assert load_embeddings(path).data.tolist() == [[1, 2], [3, 4]]


def test_tensors_of_one_shape_are_vectors_or_pairs(tmp_path):
    flat = pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(X))
    np.testing.assert_array_equal(load_embeddings(parquet_file(tmp_path, {"v": flat})).data, X)
    pairs = np.stack([X, -X], axis=1)
    path = parquet_file(tmp_path, {"v": pa.FixedShapeTensorArray.from_numpy_ndarray(pairs)})
    np.testing.assert_array_equal(load_embeddings(path, pairs=True).data, pairs)
    turned = pa.fixed_shape_tensor(pa.float64(), (2, D), permutation=[1, 0])
    flat = lists(pairs.reshape(N, -1), pa.list_(pa.float64(), 2 * D))
    path = parquet_file(tmp_path, {"v": pa.ExtensionArray.from_storage(turned, flat)})
    with pytest.raises(ValueError, match="order of their axes"):
        load_embeddings(path, pairs=True)
    path = parquet_file(tmp_path, {"v": pa.array(pairs.tolist())})
    np.testing.assert_array_equal(load_embeddings(path, pairs=True).data, pairs)
    with pytest.raises(ValueError, match=r"expected shape \(n_samples, n_features\), got \(30, 2, 4\)"):
        load_embeddings(path)


def test_a_short_vector_of_a_pair_is_refused_by_the_row_of_the_pair(tmp_path):
    path = parquet_file(tmp_path, {"v": [[[1.0, 2.0], [3.0, 4.0]]] * 2 + [[[1.0, 2.0], [3.0]]]})
    for read in (lambda: load_embeddings(path, pairs=True), lambda: list(iter_embeddings(path))):
        with pytest.raises(ValueError, match="got 2 numbers in row 0 and 1 in row 2"):
            read()


def test_a_column_of_lists_is_refused_as_labels(tmp_path):
    path = parquet_file(tmp_path, {"v": [[1.0, 2.0]] * 3, "tags": [["a"]] * 3})
    for name in ("v", "tags"):
        with pytest.raises(ValueError, match=r"expected a column with one number or text per row, got one of list<"):
            load_embeddings(path, labels=name)


@pytest.mark.parametrize(("text", "x"), [("0.5,1.5\n2,3\n", [[0.5, 1.5], [2, 3]]), ("0,1\n2,3\n", [[2, 3]])])
def test_csv_without_names_is_told_from_columns_that_pandas_numbered(tmp_path, text, x):
    (tmp_path / "x.csv").write_text(text)
    assert load_embeddings(tmp_path / "x.csv").data.tolist() == x


@pytest.mark.parametrize(
    ("text", "x", "words"),
    [
        ("x1;x2\n0.5;1\n2;3.5\n", [[0.5, 1], [2, 3.5]], None),
        ("x1\tx2\n0.5\t1\n2\t3.5\n", [[0.5, 1], [2, 3.5]], None),
        ("x1;x2\n0,5;1e0\n2;3,5E+00\n", [[0.5, 1], [2, 3.5]], None),
        ("0,5;1,0\n2,0;3,5\n", [[0.5, 1], [2, 3.5]], None),
        ("a;0,5;1,0\nb;2,0;3,5\n", [[0.5, 1], [2, 3.5]], ["a", "b"]),
        (";x1;x2\n0;0,5;1\n1;2;3,5\n", [[0.5, 1], [2, 3.5]], None),
        ("w;v\na, b;[0.5, 1]\n;[2, 3.5]\n", [[0.5, 1], [2, 3.5]], ["a, b", ""]),
        ("w,v\na,0.5;1\nb,2;3.5\n", [[0.5, 1], [2, 3.5]], ["a", "b"]),
        ("a,0.5;1\nb,2;3.5\n", [[0.5, 1], [2, 3.5]], ["a", "b"]),
        ('"a; b",0.5,1\n"c; d",2,3.5\n', [[0.5, 1], [2, 3.5]], ["a; b", "c; d"]),
        ("w;x1;x2\n" + "1,5;0,5;0,25\n", [[1.5, 0.5, 0.25]], None),
    ],
)
def test_separators_and_decimal_commas_are_those_that_all_lines_fit(tmp_path, text, x, words):
    (tmp_path / "x.csv").write_text(text)
    read = load_embeddings(tmp_path / "x.csv", key="*" if x[0][0] == 1.5 else None)
    assert read.data.tolist() == x
    assert (None if read.words is None else read.words.tolist()) == words


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("7;0,5;1,5\n8;2,5;3,5\n", "may be separated by ',' or by ';'. Write the table with"),
        ("7,1;2;3\n8,1;2;4\n", "may be separated by ',' or by ';'"),
        ("x1;x2\n1,234;5,678\n2,345;6,789\n", "comma may separate fractions or thousands in '1,234'"),
        ("x1;x2\n1.234,5;2,5\n2,5;3,5\n", "comma may separate fractions or thousands in '1.234,5'"),
        ("x1;x2\n0,5;1.5\n2,5;3.5\n", "comma may separate fractions or thousands in '0,5'"),
        ("w;v\na;0,5 1,5\nb;2,5 3,5\n", "no column of vectors"),
        ('w;v\na;"0,5;1,5"\nb;"2,5;3,5"\n', "no column of vectors"),
        ('w,v\na,"[0,5; 1,5]"\nb,"[2,5; 3,5]"\n', "no column of vectors"),
        ('x1,x2\n"0,5","1,5"\n"2,5","3,5"\n', "no column of vectors"),
    ],
)
def test_commas_that_may_be_either_are_refused(tmp_path, text, message):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_embeddings(tmp_path / "x.csv")


@pytest.mark.parametrize(
    "text", ["w;x\na;0,5\nb;2,25\n", "a;0,5\nb;2,25\n", "w;x\na;0.5\nb;2.25\n", "x;y\n0,5;1\n2,25;2\n"]
)
def test_one_column_of_numbers_is_one_feature(tmp_path, text):
    (tmp_path / "x.csv").write_text(text)
    read = load_embeddings(tmp_path / "x.csv", key="[x]" if "y" in text else None)
    assert read.data.tolist() == [[0.5], [2.25]]


def test_a_missing_number_is_nan_also_in_the_only_column(tmp_path):
    (tmp_path / "x.csv").write_text("w;x\na;0,5\nb;\nc;2,25\n")
    np.testing.assert_array_equal(load_embeddings(tmp_path / "x.csv").data, [[0.5], [np.nan], [2.25]])


def test_labels_have_the_separator_of_their_table(tmp_path):
    (tmp_path / "x.csv").write_text("x1;x2;y\n0,5;1,5;a, b\n2,5;3,5;c\n")
    read = load_embeddings(tmp_path / "x.csv", labels="y")
    assert read.data.tolist() == [[0.5, 1.5], [2.5, 3.5]]
    assert read.labels.tolist() == ["a, b", "c"]


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize(
    "text", ["[[1, 2.5], [3, 4]]", "[\n [1,\n2.5]\n,\n[3,4] ]\n", "[1, 2.5]\n[3, 4]\n", "\ufeff[[1,2.5],[3,4]]"]
)
def test_json_may_be_vectors_alone(tmp_path, monkeypatch, suffix, text):
    monkeypatch.setattr(_json, "_CHUNK", 4)
    monkeypatch.setattr(_json, "_BATCH_ROWS", 1)
    path = tmp_path / f"x{suffix}"
    path.write_text(text, encoding="utf-8")
    read = load_embeddings(path)
    assert read.data.tolist() == [[1, 2.5], [3, 4]]
    assert read.words is None
    assert read.feature_names is None
    assert load_embeddings(path, limit=1).data.tolist() == [[1, 2.5]]


def test_csv_of_words_and_numbers_needs_no_names(tmp_path):
    (tmp_path / "x.tsv").write_text("the\t0.5\t-1e-3\nof\t2\t3\n")
    read = load_embeddings(tmp_path / "x.tsv")
    assert read.data.tolist() == [[0.5, -1e-3], [2, 3]]
    assert read.words.tolist() == ["the", "of"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.csv", "", "damaged"),
        ("x.csv", "x1,x2\n1,2\n3,many\n", "'x2' string"),
        ("x.csv", "x1,x2\n" + "1,2\n" * 300 + "3,many\n", "invalid value 'many'"),
        ("x.csv", "3,0.5,0.25\n1,0.5,0.75\n", "no names, and columns of integers.*The columns are '0' int64"),
        ("x.csv", "x1,x2\n1,2\n3\n", "Expected 2 columns, got 1"),
        ("x.csv", "x1,x1\n1,2\n", r"expected columns of different names, got 'x1' twice"),
        ("x.csv", 'v\n"[1, 2]"\n"[1, 2, 3]"\n', "one length, got 2 numbers in row 0 and 3 in row 1"),
        ("x.csv", "v\n" + '"[1, 2]"\n' * 100 + '"[1, ..]"\n', "from row 0 on is not written in full.*'..'"),
        ("x.jsonl", '{"v": [1, 2]}\n{"v": [1, "2"]}\n', "damaged"),
        ("x.jsonl", '{"v": [1, 2]\n', "damaged"),
        ("x.jsonl", '{"v": [1, 2]}\n{"w": [1, 2]}\n', "2 matrices"),
        ("x.jsonl", "", "it is empty"),
        ("x.json", "", "expected an array of vectors or of objects, or one object per line, and it is neither"),
        ("x.json", '{"v": [[1, 2], [3, 4]]}', "it is neither. Save a list with one object per row"),
        ("x.json", '{\n"v": [[1, 2], [3, 4]]\n}\n', "it is neither"),
        ("x.json", "[]", "it is empty: expected vectors, or objects that have them"),
        ("x.json", "[[1, 2], [3]]", "one length, got 2 numbers in row 0 and 1 in row 1"),
        ("x.json", "[[1, 2], null]", "one length, got 2 numbers in row 0 and 0 in row 1"),
        ("x.json", "[[1, 2], [3, 4]", "its array does not end where the file does"),
        ("x.json", "[[1, 2], [3, 4]] [", "its array does not end where the file does"),
        ("x.json", "[[1, 2] [3, 4]]", "its array does not end where the file does"),
        ("x.json", '[[1, 2], [3, "4"]]', "damaged"),
        ("x.json", '[[1, 2], {"v": [3, 4]}]', "damaged"),
        ("x.json", '[{"v": [1, 2]}, [3, 4]]', "one length"),
        ("x.json", '["a", "b"]', "no column of vectors"),
    ],
)
def test_broken_tables_are_refused(tmp_path, monkeypatch, name, text, message):
    for module in (_delimited, _json):
        monkeypatch.setattr(module, "_BLOCK_BYTES", 1000)
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        load_embeddings(tmp_path / name)


def test_missing_words_are_empty_and_missing_labels_refused(tmp_path):
    path = parquet_file(tmp_path, {"v": [[1.0, 2.0]] * 3, "w": ["a", None, "c"]})
    assert load_embeddings(path).words.tolist() == ["a", "", "c"]
    with pytest.raises(ValueError, match="label of row 1 is empty"):
        load_embeddings(path, labels="w")


def test_a_missing_label_in_the_last_row_counts_as_a_row(tmp_path):
    path = tmp_path / "y.csv"
    path.write_text("id,y\n1,a\n2,b\n3,\n  \n\n")
    with pytest.raises(ValueError, match="the label of row 2 is empty"):
        read_labels(path, "y", 3)
    with pytest.raises(ValueError, match="expected 2 labels, one per line, got 3"):
        read_labels(path, "y", 2)


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        ([True, False, True], ["true", "false", "true"]),
        (pa.array([3, 1, 3], pa.int8()), [3, 1, 3]),
    ],
)
def test_labels_of_any_type_are_numbers_or_text(tmp_path, cells, labels):
    path = parquet_file(tmp_path, {"v": [[1.0, 2.0]] * 3, "y": cells})
    assert load_embeddings(path, labels="y").labels.tolist() == labels
