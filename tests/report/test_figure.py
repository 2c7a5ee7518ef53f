import numpy as np
import pytest

from skgeom.metrics import conformity
from skgeom.model_selection import Judged, Judgement
from skgeom.report._command import main
from skgeom.report._figure import draw
from skgeom.report._space import Space

pytest.importorskip("matplotlib")

WHITENINGS = [f"Whitening({k}, power={p})" for k in (2, 3) for p in (0.25, 1)]


@pytest.fixture
def space():
    return Space("a space", np.random.default_rng(0).normal(size=(50, 3)) + 1)


def judgement(names, widths, task="classes", score="accuracy"):
    rows = tuple(Judged(name, k, 0.5 + k / 100, k / 100, 0.01, {}) for name, k in zip(names, widths, strict=True))
    return Judgement(task, score, rows, "yes", "Yes.", "passthrough", 0.95, 100, 5)


def titles(figure):
    return [ax.get_title(loc="left") for ax in figure.axes]


def test_panels_are_those_of_what_is_known(space):
    one = judgement(["as is", *WHITENINGS, "AllButTheTop(1)"], [4, 2, 2, 3, 3, 4])
    other = judgement(["as is", "centred"], [4, 4], "retrieval", "mrr")
    figure = draw(space, [one, other])
    assert titles(figure) == [
        "Spectrum: 3 directions",
        "Conformity of the rows",
        "Held out: classes",
        "Held out: retrieval",
    ]
    labels = [text.get_text() for text in figure.axes[2].get_legend().get_texts()]
    assert labels == ["as is", "power 0.25", "power 1", "AllButTheTop(1)"]
    mean = conformity(space.x).mean()
    labels = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert labels == ["isotropic: 0", f"this cloud: mean {mean:.3f}"]


def test_without_a_judge_the_space_itself_is_drawn(space):
    assert len(draw(space, []).axes) == 2


def test_without_spread_there_is_no_spectrum():
    assert titles(draw(Space("a space", np.ones((50, 3))), [])) == ["Conformity of the rows"]


@pytest.mark.parametrize("X", [np.outer(np.arange(1, 30), [1 / 3, 2 / 7, 3.1]), np.array([[1, 0.3], [0.7, 2]])])
def test_rows_that_conform_up_to_rounding_have_a_figure(X):
    assert "Conformity of the rows" in titles(draw(Space("a ray", X), []))


def test_ticks_do_not_overlap(space):
    one = judgement(["as is", "Whitening(256, power=1)", "Whitening(257, power=1)"], [257, 256, 257])
    assert [label.get_text() for label in draw(space, [one]).axes[2].get_xticklabels()] == ["257"]


@pytest.mark.parametrize("n", [60, 8])
def test_figure_is_written(tmp_path, capsys, n):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(n, 6)))
    np.save(tmp_path / "y.npy", np.arange(n) % 2)
    labels = ["--labels", str(tmp_path / "y.npy")] if n > 10 else []
    assert main(["report", str(tmp_path / "x.npy"), *labels, "--out", str(tmp_path / "out")]) == 0
    assert f"figure: {tmp_path / 'out' / 'figure.png'}" in capsys.readouterr().out
    assert (tmp_path / "out" / "figure.png").read_bytes().startswith(b"\x89PNG")
