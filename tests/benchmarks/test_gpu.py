"""The benchmark of a GPU runs on the CPU in its place, and says so where there is none."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def benchmark():
    """Return the module, which lies beside the package and is not installed, and the settings of short runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2])
        gpu = import_module("benchmarks.gpu")
        return gpu, import_module("benchmarks._harness").Settings(data=None, threads=1, repeats=1)


@pytest.fixture
def few_rows(benchmark, monkeypatch):
    """Make the real data 60 rows of 6 columns in two classes."""
    gpu, _ = benchmark
    data = gpu.load(None)
    monkeypatch.setattr(gpu, "load", lambda folder: data._replace(x=data.x[5301:5361, :6], y=data.y[5301:5361]))


def test_every_line_has_its_numbers(benchmark, few_rows):
    gpu, settings = benchmark
    first, _, _, *lines = gpu.lines("cpu", settings, gpu.Sizes(pairs=(300, 5), sums=(500, 4), classes=3, updates=3))
    assert first.startswith("No GPU: the CPU in its place; torch ")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert {tuple(row[:3]) for row in cells} >= {
        ("silhouette", "60 x 6", "Torch by hand"),
        ("silhouette", "300 x 5", "skgeom"),
        ("IsoScore", "500 x 4", "bare product"),
        ("IsoScore", "500 x 4", "rows from the host"),
        ("Whitening.fit", "500 x 4", "Torch by hand"),
        ("run of 3 updates, both monitors", "60 x 6", "skgeom"),
    }
    assert all(len(row) == 8 and float(row[3].replace(",", "")) > 0 for row in cells)
    assert all(float(row[7]) < 1e-5 for row in cells if row[2] == "skgeom")


def test_the_peers_compute_the_same(benchmark):
    gpu, _ = benchmark
    x, y = np.random.default_rng(0).normal(size=(200, 4)), np.arange(200) % 3
    case = gpu.silhouettes(x, y, "")
    assert float(case.peers["Torch by hand"](torch.as_tensor(x))) == pytest.approx(case.ours(x), abs=1e-10)
    z = (x - x.mean(0)) @ gpu.whitening_by_hand(torch.as_tensor(x)).numpy()
    np.testing.assert_allclose(np.cov(z.T), np.eye(4), atol=1e-10)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_is_one_line(benchmark):
    gpu, settings = benchmark
    assert list(gpu.table(settings)) == ["Torch sees no GPU here: nothing was measured."]
