import numpy as np
import pytest

from skgeom._report._command import main
from skgeom._report._figure import draw
from skgeom._report._grid import Row, Scores

pytest.importorskip("matplotlib")

EIGENVALUES = np.array([4.0, 2.0, 1.0, 0.0])
CONFORMITY = np.linspace(-0.1, 0.4, 50)


def row(name, width, *, labelled):
    hits = np.arange(10) % 3 > 0 if labelled else np.empty(0)
    return Row(name, width, (Scores(hits, 0.5, 0.1 if labelled else np.nan, 0.2),) * 5)


def titles(figure):
    return [ax.get_title(loc="left") for ax in figure.axes]


@pytest.mark.parametrize("labelled", [True, False])
def test_panels_are_those_of_what_is_known(labelled):
    names = [("as is", 4), ("centred", 4), ("Whitening(2)", 2), ("Whitening(3)", 3), ("AllButTheTop(1)", 4)]
    rows = [row(*name, labelled=labelled) for name in names]
    found = titles(draw("a space", EIGENVALUES, 3, CONFORMITY, rows))
    assert found == [
        "Spectrum: 3 directions",
        "Conformity of the rows",
        *["Linear probe"] * labelled,
        "Shape after whitening",
    ]


def test_without_a_grid_the_space_itself_is_drawn():
    assert len(draw("a space", EIGENVALUES, 3, CONFORMITY, []).axes) == 2


def test_without_spread_there_is_no_spectrum():
    assert titles(draw("a space", EIGENVALUES * 0, 0, CONFORMITY, [])) == ["Conformity of the rows"]


def test_ticks_do_not_overlap():
    rows = [row(name, width, labelled=True) for name, width in [("as is", 300), ("Whitening(256)", 256)]]
    figure = draw("a space", EIGENVALUES, 3, CONFORMITY, [*rows, row("Whitening(257)", 257, labelled=True)])
    assert [label.get_text() for label in figure.axes[2].get_xticklabels()] == ["257"]


@pytest.mark.parametrize("n", [60, 8])
def test_figure_is_written(tmp_path, capsys, n):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(n, 6)))
    np.save(tmp_path / "y.npy", np.arange(n) % 2)
    labels = ["--labels", str(tmp_path / "y.npy")] if n > 10 else []
    assert main(["report", str(tmp_path / "x.npy"), *labels, "--out", str(tmp_path / "out")]) == 0
    assert f"figure: {tmp_path / 'out' / 'figure.png'}" in capsys.readouterr().out
    assert (tmp_path / "out" / "figure.png").read_bytes().startswith(b"\x89PNG")
