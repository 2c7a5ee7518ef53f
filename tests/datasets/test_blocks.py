"""Embeddings block by block: the same rows whatever holds them, and clear words for what is cut off, null or ragged."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skgeom.alignment import LstsqAligner
from skgeom.datasets import iter_embeddings, load_embeddings
from skgeom.metrics import average_cosine, isoscore, uniformity
from skgeom.preprocessing import Whitening
from skgeom.summary import cloud_summary

N, D = 10_000, 6
X = np.random.default_rng(0).normal(size=(N, D)).astype(np.float32)


class Stored:
    """An array on a disk, as far as it is read: its chunks, and the rows of each slice that was taken."""

    def __init__(self, x, chunks):
        self._x, self.shape, self.chunks, self.taken = x, x.shape, chunks, []

    def __getitem__(self, rows):
        self.taken.append((rows.start, min(rows.stop, len(self._x))))
        return self._x[rows]


def assert_blocks_of_x(blocks):
    blocks = list(blocks)
    assert [len(block) for block in blocks] == [4096, 4096, 1808]
    assert_array_equal(np.concatenate(blocks), X)
    assert blocks[0].dtype == np.float32


# Arrays


@pytest.mark.parametrize("height", [1, 300, 4096, 7000])
def test_an_array_on_a_disk_is_read_by_whole_chunks_and_each_once(height):
    stored = Stored(X, (height, 2))
    assert_blocks_of_x(iter_embeddings(stored))
    starts, stops = zip(*stored.taken, strict=True)
    assert starts == (0, *stops[:-1])
    assert stops[-1] == N
    assert all(start % height == 0 and stop - start < 4096 + height for start, stop in stored.taken)


@pytest.mark.parametrize("library", ["zarr", "h5py"])
def test_arrays_of_libraries_are_read_and_never_as_a_whole_in_silence(library, tmp_path):
    module = pytest.importorskip(library)
    if library == "zarr":
        stored = module.create_array(store=str(tmp_path / "x.zarr"), shape=X.shape, chunks=(999, 4), dtype="f4")
        stored[:] = X
    else:
        stored = module.File(tmp_path / "x.h5", "w").create_dataset("x", data=X, chunks=(700, D))
    assert_blocks_of_x(iter_embeddings(stored))
    for call in (isoscore, Whitening().fit, uniformity, cloud_summary):
        with pytest.raises(TypeError, match=rf"X is {library}\.\w+, not rows in memory.*iter_embeddings\(X\)"):
            call(stored)


def test_a_memory_map_gives_views_of_itself(tmp_path):
    np.save(tmp_path / "x.npy", X)
    rows = np.load(tmp_path / "x.npy", mmap_mode="r")
    blocks = list(iter_embeddings(rows))
    assert_blocks_of_x(blocks)
    assert np.shares_memory(blocks[1], rows)
    assert isinstance(next(iter_embeddings(tmp_path / "x.npy")), np.memmap)


@pytest.mark.parametrize("order", ["<", ">"])
def test_blocks_have_the_byte_order_of_the_machine(order, tmp_path):
    np.save(tmp_path / "x.npy", X.astype(f"{order}f4"))
    blocks = list(iter_embeddings(tmp_path / "x.npy"))
    assert_blocks_of_x(blocks)
    assert all(block.dtype.isnative for block in blocks)
    whitening = Whitening().fit(X)
    out = whitening.transform_into(iter_embeddings(tmp_path / "x.npy"), tmp_path / "out.npy")
    assert_allclose(out, whitening.transform(X), atol=1e-6)


# Files


WRITERS = {
    ".npy": np.save,
    ".npz": np.savez,
    ".npy.gz": lambda path, x: save_packed(path, x),
    ".safetensors": lambda path, x: save_tensor(path, x),
    ".parquet": lambda path, x: write_parquet(path, {"id": np.arange(len(x)), "v": list(x)}, row_group_size=700),
    ".feather": lambda path, x: pytest.importorskip("pyarrow.feather").write_feather(table({"v": list(x)}), str(path)),
    ".csv": lambda path, x: np.savetxt(path, x, delimiter=",", header=",".join("abcdef"), comments=""),
    ".jsonl": lambda path, x: path.write_text("".join(f"{row}\n" for row in x.tolist())),
    ".vec": lambda path, x: path.write_text("".join(f"w {' '.join(map(str, row))}\n" for row in x.tolist())),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_shards_of_any_format_are_one_cloud(suffix, tmp_path):
    for i, rows in enumerate(np.split(X, [1, 3000, 9000])):
        WRITERS[suffix](tmp_path / f"part-{9 + i}{suffix}", rows)
    blocks = list(iter_embeddings(tmp_path))
    assert [len(block) for block in blocks] == [4096, 4096, 1808]
    assert_allclose(np.concatenate(blocks), X, rtol=1e-7)


def save_packed(path, x):
    import gzip

    with gzip.open(path, "wb") as file:
        np.save(file, x)


def save_tensor(path, x):
    pytest.importorskip("safetensors.numpy").save_file({"x": x}, path)


WITHOUT_ROWS = {
    ".npy": lambda path: np.save(path, X[:0]),
    ".npz": lambda path: np.savez(path, X[:0]),
    ".safetensors": lambda path: save_tensor(path, X[:0]),
    ".parquet": lambda path: write_parquet(path, {"v": [[1.0]]}, rows=0),
    ".csv": lambda path: path.write_text("a,b\n"),
    ".jsonl": lambda path: path.write_text(""),
    ".vec": lambda path: path.write_text("0 3\n"),
}


@pytest.mark.parametrize("suffix", WITHOUT_ROWS)
@pytest.mark.parametrize("shard", ["first", "last", "only"])
def test_a_file_without_rows_is_refused_by_its_name_alone_and_among_others(suffix, shard, tmp_path):
    if shard != "only":
        WRITERS[suffix](tmp_path / f"1{suffix}", X[:9])
    WITHOUT_ROWS[suffix](tmp_path / f"{2 if shard == 'last' else 0}{suffix}")
    for read in (load_embeddings, lambda path: list(iter_embeddings(path))):
        with pytest.raises(ValueError, match=rf"[02]\{suffix}:?( it)? is empty: expected"):
            read(tmp_path)


def test_vectors_as_text_without_rows_are_empty_and_not_ambiguous(tmp_path):
    write_parquet(tmp_path / "x.parquet", {"v": ["1 0"]}, rows=0)
    for read in (load_embeddings, lambda path: list(iter_embeddings(path))):
        with pytest.raises(ValueError, match=r"x\.parquet: it is empty"):
            read(tmp_path / "x.parquet")


def test_a_filter_that_keeps_no_row_is_refused():
    dataset = pytest.importorskip("pyarrow.dataset")
    kept = dataset.dataset(table({"v": list(X[:9]), "i": range(9)})).filter(dataset.field("i") > 9)
    with pytest.raises(ValueError, match="InMemoryDataset: it is empty"):
        list(iter_embeddings(kept))
    with pytest.raises(ValueError, match=r"is empty: expected rows and columns, got the shape \(0, 6\)"):
        iter_embeddings(X[:0])


def table(columns):
    return pytest.importorskip("pyarrow").table(columns)


def write_parquet(path, columns, rows=None, **options):
    found = table(columns).slice(0, rows)
    pytest.importorskip("pyarrow.parquet").write_table(found, path, **options)


def of_lists(pa):
    return {"id": np.arange(N), "v": pa.array(list(X))}


def of_fixed_lists(pa):
    return {"v": pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), D)}


def of_numbers(pa):
    return {f"dim_{i}": X[:, i] for i in range(D)}


@pytest.mark.parametrize("columns", [of_lists, of_fixed_lists, of_numbers])
def test_what_arrow_holds_or_reads_gives_its_rows(columns, tmp_path):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    dataset = pytest.importorskip("pyarrow.dataset")
    whole = table(columns(pa))
    for i in range(4):
        parquet.write_table(whole.slice(2500 * i, 2500), tmp_path / f"{i}.parquet", row_group_size=1100)
    parquet.write_table(whole, tmp_path / "whole")
    found = dataset.dataset([tmp_path / f"{i}.parquet" for i in range(4)])
    pytest.importorskip("pyarrow.feather").write_feather(whole, str(tmp_path / "x.feather"), chunksize=900)
    feather = dataset.dataset(tmp_path / "x.feather", format="feather")
    for source in (whole, found, feather, parquet.ParquetFile(tmp_path / "whole")):
        assert_blocks_of_x(iter_embeddings(source))
    if "id" in whole.column_names:
        kept = np.concatenate(list(iter_embeddings(found.filter(dataset.field("id") >= 7000))))
        assert_array_equal(kept, X[7000:])


def test_two_columns_are_pairs_in_blocks(tmp_path):
    write_parquet(tmp_path / "x.parquet", {"a": list(X), "b": list(np.tile(X[:, ::-1], 2))}, row_group_size=1000)
    x, y = (iter_embeddings(tmp_path / "x.parquet", key=key) for key in "ab")
    assert_allclose(LstsqAligner().fit(x, y).coef_, np.tile(np.eye(D)[:, ::-1], 2).T, atol=1e-6)


# Faults


def nulls(pa):
    """Yield a column with a null in row 5001, or in a vector there, each list as it may be stored."""
    for at in ("row", "number"):
        cells = X.tolist()
        cells[5001] = None if at == "row" else [1.0, 2.0, None, 3.0, 4.0, 5.0]
        for kind in (pa.list_(pa.float32()), pa.large_list(pa.float32()), pa.list_(pa.float32(), D)):
            yield pa.array(cells, kind)


def test_a_null_is_refused_by_column_and_row(tmp_path):
    pa = pytest.importorskip("pyarrow")
    for column in nulls(pa):
        if not pa.types.is_fixed_size_list(column.type):  # of which older versions write no nulls
            write_parquet(tmp_path / "x.parquet", {"v": column}, row_group_size=700)
            with pytest.raises(ValueError, match=r"x\.parquet: column 'v' is null in row 5,001"):
                Whitening().fit(iter_embeddings(tmp_path / "x.parquet"))
        with pytest.raises(ValueError, match=r"Table: column 'v' is null in row 5,001"):
            isoscore(iter_embeddings(table({"v": column})))
    numbers = {"a": [0.5, 1.5], "b": pa.array([0.5, None])}
    with pytest.raises(ValueError, match=r"Table: column 'b' is null in row 1"):
        average_cosine(iter_embeddings(table(numbers)))


def test_ragged_vectors_are_refused_by_row(tmp_path):
    cells = X.tolist()
    cells[5001] = [1.0, 2.0]
    write_parquet(tmp_path / "x.parquet", {"v": cells})
    with pytest.raises(
        ValueError, match=r"x\.parquet: expected vectors of one length, got 6 .* row 0 and 2 in row 5001"
    ):
        isoscore(iter_embeddings(tmp_path / "x.parquet"))


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
def test_a_shard_that_is_cut_off_is_refused_by_its_name_and_changes_no_fit(suffix, tmp_path):
    for i in range(3):
        path = tmp_path / f"{i}{suffix}"
        np.save(path, X) if suffix == ".npy" else write_parquet(path, {"v": list(X)})
    path = tmp_path / f"1{suffix}"
    path.write_bytes(path.read_bytes()[:-7])
    whitening = Whitening().fit(X)
    before = whitening.whitening_matrix_
    with pytest.raises(ValueError, match=rf"1\{suffix} is damaged, incomplete"):
        whitening.fit(iter_embeddings(tmp_path))
    assert whitening.whitening_matrix_ is before
    if suffix == ".parquet":
        with pytest.raises(ValueError, match=r"1\.parquet"):
            isoscore(iter_embeddings(pytest.importorskip("pyarrow.dataset").dataset(tmp_path)))


def test_shards_of_two_widths_are_refused_by_their_names(tmp_path):
    np.save(tmp_path / "a.npy", X)
    np.save(tmp_path / "b.npy", X[:, :3])
    with pytest.raises(ValueError, match=r"b\.npy: expected rows of 6 numbers, as in .*a\.npy, got 3"):
        isoscore(iter_embeddings(tmp_path))


@pytest.mark.parametrize("second", ["dim_1,dim_0,text\n1,2,b\n", 'v,text\n"[1.0, 2.0]",b\n'])
def test_shards_with_other_columns_are_refused_in_blocks_as_in_one_array(second, tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "a.csv").write_text("dim_0,dim_1,text\n1,2,a\n")
    (tmp_path / "b.csv").write_text(second)
    message = (
        r"b\.csv: expected the columns of a\.csv in their order, 'dim_0' where it has '(dim_1|a column of vectors)'"
    )
    for read in (load_embeddings, lambda path: list(iter_embeddings(path))):
        with pytest.raises(ValueError, match=message):
            read(tmp_path)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: iter_embeddings("nowhere"), FileNotFoundError, "nowhere: expected a file or a folder"),
        (lambda: iter_embeddings([[1.0, 2.0]]), TypeError, "Expected a path, .* got list"),
        (lambda: iter_embeddings(X[0]), TypeError, "Expected a path, .* got ndarray"),
        (lambda: iter_embeddings(X, key="v"), ValueError, "one array without a name, got key='v'"),
        (lambda: next(iter_embeddings(X.astype(complex))), ValueError, "expected real numbers, got the dtype complex"),
        (
            lambda: next(iter_embeddings(table({"a": [[1.0]], "b": [[1.0]]}))),
            ValueError,
            "Pass one of these as key: 'a'",
        ),
    ],
)
def test_what_has_no_rows_is_refused_in_words(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_where_the_rows_are_is_not_the_rows(tmp_path):
    parquet, dataset = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow.dataset")
    columns = {"v": list(X[:9])}
    write_parquet(tmp_path / "x.parquet", columns)
    path = tmp_path / "x.parquet"
    for source, what in (
        (path, "a path"),
        (str(path), "a path"),
        (dataset.dataset(path), r"pyarrow\.\w+"),
        (parquet.ParquetFile(path), r"pyarrow\.ParquetFile"),
    ):
        for call in (isoscore, Whitening().fit, uniformity, cloud_summary):
            with pytest.raises(TypeError, match=rf"X is {what}, not rows in memory: pass .*iter_embeddings\(X\)"):
                call(source)
    with pytest.raises(
        ValueError, match=r"X has a vector in each cell, .* pass skgeom\.datasets\.iter_embeddings\(X\)"
    ):
        isoscore(table(columns))


def test_a_dataset_whose_first_batch_is_empty_is_as_ambiguous_as_any(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    dataset = pytest.importorskip("pyarrow.dataset")
    for i in range(2):
        text = [str(row.tolist()) for row in X[:3]]
        table = pa.table({"emb": text, "x1": [0.0] * 3, "x2": [1.0] * 3, "split": [i] * 3})
        pq.write_table(table, tmp_path / f"{i}.parquet")
    for split in range(2):
        kept = dataset.dataset(tmp_path).filter(dataset.field("split") == split)
        with pytest.raises(ValueError, match="1 columns of vectors as text"):
            list(iter_embeddings(kept))
