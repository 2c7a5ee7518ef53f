"""The scripts in benchmarks/papers find what was planted in small clouds."""

from importlib import import_module
from math import exp, pi, sqrt
from pathlib import Path

import numpy as np
import pytest

from skgeom.datasets import make_embedding_pair
from skgeom.metrics import clip_loss

D = 12


@pytest.fixture(scope="module")
def papers():
    """Return the modules, which lie beside the package and are not installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2])
        names = ("_inputs", "multimodal_isotropy", "double_ellipsoid", "_markdown")
        return tuple(import_module(f"benchmarks.papers.{name}") for name in names)


@pytest.fixture(scope="module")
def inputs(papers):
    return papers[0]


@pytest.fixture(scope="module")
def markdown(papers):
    return papers[3]


@pytest.fixture(scope="module")
def isotropy(papers):
    return papers[1]


@pytest.fixture(scope="module")
def ellipsoid(papers):
    return papers[2]


@pytest.fixture(scope="module")
def turned(isotropy):
    """Return queries that are class texts with noise, turned by a rotation; pairs turned by the same."""
    rng = np.random.default_rng(0)
    y, x, truth = make_embedding_pair(200, D, noise=0.0, slope=0.0, random_state=0, return_truth=True)
    texts = np.eye(D)[:6]
    classes = rng.permutation(np.repeat(np.arange(6), 20))
    queries = (texts[classes] + 0.05 * rng.normal(size=(120, D))) @ truth.rotation
    return isotropy.Task("turned", x, y, queries[:60], classes[:60], queries[60:], classes[60:], texts)


def test_a_table_has_columns_of_even_width(markdown):
    lines = markdown.table(("a", "b"), [("long", "1"), ("x", "22")]).splitlines()
    assert lines == ["| a    |  b |", "| ---- | -: |", "| long |  1 |", "| x    | 22 |"]


def test_a_report_is_filled_and_written(markdown, tmp_path, capsys):
    report = markdown.Report()
    report.add_heading("Head")
    report.add("* " + "word " * 40, "* second")
    report.write(str(tmp_path / "report.md"))
    lines = (tmp_path / "report.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "## Head"
    assert lines[-1] == "* second"
    assert max(map(len, lines)) <= 100
    assert capsys.readouterr().out.split() == " ".join(lines).split()


def test_moments_come_back_from_a_whitening(inputs, tmp_path):
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(D, D)))[0]
    variances = np.arange(D, 0, -1.0)
    arrays = {f"W_{m}": axes / np.sqrt(variances) for m in ("image", "text")}
    np.savez(tmp_path / inputs.MOMENTS_FILE, **arrays, mean_image=np.ones(D), mean_text=np.zeros(D))
    found = inputs.vit_l14_moments(str(tmp_path))
    np.testing.assert_allclose(found["image"].covariance, axes * variances @ axes.T, atol=1e-12)
    drawn = inputs.gaussian_rows(found["image"], 20_000)
    np.testing.assert_allclose(drawn.mean(axis=0), 1, atol=0.1)
    assert np.trace(np.cov(drawn.T)) == pytest.approx(variances.sum(), rel=0.02)


def test_missing_data_are_no_pairs(inputs, tmp_path):
    assert inputs.clip_pairs(None, "clip", "CLIP") == []
    assert inputs.vit_l14_moments(str(tmp_path)) == {}
    assert inputs.user_pairs(None, None) == []


def test_one_file_of_two_is_refused(inputs, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((3, 2)))
    with pytest.raises(SystemExit, match="two files"):
        inputs.user_pairs(str(tmp_path / "x.npy"), None)


def test_readings_of_a_single_direction_meet_their_closed_forms(isotropy):
    x = np.zeros((9, D))
    x[:, 0] = 1
    readings = isotropy.isotropy_readings(x)
    assert readings["both signs"][0] == pytest.approx(exp(-2))
    assert readings["mean's sign"][0] == pytest.approx(exp(-1))
    assert readings["other sign"][0] == pytest.approx(exp(-1))
    assert isotropy.printed_radicand(x) < 0


@pytest.mark.parametrize(("n", "expected"), [(2, 2 / sqrt(pi)), (512, 6.088)])
def test_expected_range_of_normal_draws(isotropy, n, expected):
    assert isotropy.expected_range(n) == pytest.approx(expected, abs=5e-3)


def test_the_added_coordinate_is_a_temperature(isotropy, inputs):
    x, y = make_embedding_pair(50, D, random_state=0)
    before, after = isotropy.coordinate_argument(inputs.Pairs("pairs", x, y))
    assert before == pytest.approx(clip_loss(x, y))
    assert after == pytest.approx(clip_loss(x, y, temperature=0.0101))


def test_maps_undo_a_planted_rotation(isotropy, inputs, turned):
    found = isotropy.losses(inputs.Pairs("turned", turned.x, turned.y), isotropy.transforms("loss"))
    for name in ("Procrustes", "least squares", "Procrustes, rest left to LAPACK"):
        assert max(found[name]) < 0.01
    assert min(found["none"]) > 1
    assert found["whitening-128, one basis"][0] > 1


def test_zero_shot_needs_the_map_of_the_pairs(isotropy, turned):
    fits = isotropy.transforms("zero-shot")
    assert isotropy.zero_shot(turned, fits["Procrustes"])[0] == 1
    assert isotropy.zero_shot(turned, fits["none"])[0] < 0.6
    assert isotropy.zero_shot(turned, fits["least squares"]) == (1, 1)


def test_a_rotation_nearest_to_the_identity_keeps_new_classes(isotropy, turned):
    queries = np.linalg.lstsq(turned.x, turned.y, rcond=None)[0]
    straight = turned._replace(train=turned.train @ queries, test=turned.test @ queries)
    fits = isotropy.transforms("new classes")
    assert isotropy.known_and_new(straight, fits["none"]) == (1, 1)
    known, new = isotropy.known_and_new(straight, fits["Procrustes"])
    assert known == 1
    assert new > 0.9
    assert isotropy.known_and_new(straight, fits["least squares"])[1] < 0.1


def test_a_probe_finds_separate_classes(isotropy, turned):
    assert isotropy.linear_probe(turned, None) == 1
    assert isotropy.linear_probe(turned, 8) > 0.9


def test_partners_that_coincide_have_no_distance(isotropy, inputs, turned):
    cross, pooled, partners, others, closed = isotropy.distance_ratios(inputs.Pairs("same", turned.x, turned.x))
    assert (cross, pooled) == (0, 0)
    assert partners == pytest.approx(1)
    assert abs(others) < 0.05
    assert closed == pytest.approx(0, abs=1e-6)


def test_classes_come_from_files(isotropy, turned, tmp_path):
    arrays = {
        "--images": turned.x,
        "--texts": turned.y,
        "--class-texts": turned.class_texts,
        "--labelled-images": turned.test,
        "--labels": turned.test_classes,
    }
    argv = []
    for option, array in arrays.items():
        np.save(tmp_path / f"{option[2:]}.npy", array)
        argv += [option, str(tmp_path / f"{option[2:]}.npy")]
    options = isotropy.parser().parse_args(argv)
    pairs = isotropy.user_pairs(options.images, options.texts)
    (task,) = isotropy.user_tasks(options, pairs)
    assert task.train.shape == task.test.shape == (30, D)
    assert isotropy.zero_shot(task, isotropy.transforms("zero-shot")["Procrustes"])[0] == 1
    np.save(tmp_path / "labels.npy", turned.test_classes + 1)
    with pytest.raises(SystemExit, match="from 0 to 5"):
        isotropy.user_tasks(options, pairs)


def test_statistics_follow_from_moments(ellipsoid, inputs):
    image = inputs.Moments(3 * np.eye(D)[0], np.ones(D), np.eye(D))
    text = inputs.Moments(np.zeros(D), np.ones(D), np.eye(D))
    found = ellipsoid.described_moments(image, text)
    assert found["largest separation"] == f"{3 / sqrt(2):.3g}"
    assert found["best features, from 1"].startswith("1, ")
    assert found["participation ratio"] == f"{D} / {D}"
    assert found["off-diagonal dominance"] == "0 / 0"
    assert found["offset ratio"] == f"{3 / sqrt(D):.3g} / 0"
    assert found["variance of the radii"] == "0.5 / 0.5"


def test_published_figures_imply_others(ellipsoid):
    assert ellipsoid.implied_participation_ratio(57.57, 0.19) == pytest.approx(152, abs=0.05)
    assert [round(ellipsoid.predicted_slope(r), 3) for r in (0.94, 1.03)] == [1.46, 1.394]


def test_slope_of_conformity_is_nearly_that_of_theory(ellipsoid):
    x = np.random.default_rng(0).normal(size=(400, D)) + 1
    _, correlation, r, slope, theory, *_ = ellipsoid.conformity_row(ellipsoid.Cloud("cloud", x, True))
    assert float(correlation) > 0.999
    assert float(slope) == pytest.approx(float(theory), rel=0.05)
    assert float(theory) == pytest.approx(400 / 399 * float(r), abs=2e-3)


def test_lengths_grow_with_conformity_where_the_spread_along_the_mean_decides(ellipsoid):
    x = np.random.default_rng(0).normal(size=(500, 100))
    x = x / np.linalg.norm(x, axis=1, keepdims=True) + np.eye(100)[0]
    correlation, along, bound, _ = ellipsoid.length_statistics(x)
    assert bound < along
    assert correlation > 0.99


def test_the_smallest_divergence_says_where_it_is(ellipsoid):
    at = ellipsoid.FINE_SHIFTS
    assert ellipsoid.smallest(np.abs(at - at[30])) == f"0.000 at {at[30]:z.3f}"
    assert ellipsoid.smallest(2 - at) == "1.100 at the end"


@pytest.mark.parametrize(("at", "expected"), [(0.03, "0.03"), (-0.44, "-0.44"), (2.0, "end, 1")])
def test_minimum_of_a_parabola(ellipsoid, at, expected):
    assert ellipsoid.minimum((ellipsoid.ALPHAS - at) ** 2) == expected


def test_paths_around_the_mean_keep_the_radius(ellipsoid):
    rng = np.random.default_rng(0)
    around = rng.normal(size=(200, 64))
    around = np.vstack([around, -around]) / np.linalg.norm(np.vstack([around, -around]), axis=1, keepdims=True)
    found = ellipsoid.halfway(rng.permutation(around) + 2 * np.eye(64)[0])
    assert found["the ends"].endswith("/ 1")
    assert found["vSLERP, α = 1"].endswith("/ 1")
    assert float(found["SLERP"].split(" / ")[1]) < 0.95


def test_published_code_adds_both_ends(ellipsoid):
    a, b = np.random.default_rng(0).normal(size=(2, 20, 512))
    expected = (a + b) / sqrt(2)
    assert np.abs(ellipsoid.as_coded(a, b) - expected).max() < 0.02 * np.abs(expected).max()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of old versions of matplotlib, while it is imported
def test_losses_are_drawn(ellipsoid, tmp_path):
    assert ellipsoid.draw({"pairs, 10": ellipsoid.ALPHAS**2}, str(tmp_path / "loss.png")) == "Drawn: loss.png."
    assert (tmp_path / "loss.png").stat().st_size > 1000


def test_without_data_the_rest_is_printed(ellipsoid, tmp_path, capsys):
    ellipsoid.main(["--data", str(tmp_path), "--samples", "300", "--out", str(tmp_path / "tables.md")])
    text = (tmp_path / "tables.md").read_text(encoding="utf-8")
    assert text.count("Skipped: no ") == 2
    assert text.count("\n| ---") >= 6
    assert " nan" not in text
    assert capsys.readouterr().out.strip() == text.strip()
