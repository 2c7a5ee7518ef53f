"""The scripts of the two papers that train embeddings, on runs of seconds."""

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.datasets import make_blobs
from sklearn.metrics import silhouette_score

from skgeom.metrics import silhouette_score as silhouettes

D = 8


@pytest.fixture(scope="module")
def modules():
    """Return the modules, which lie beside the package and are not installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2])
        names = (
            "_figures",
            "_runs",
            "_markdown",
            "isotropy_clusters_classifiers",
            "isotropy_glue",
            "isotropy_heads",
            "isotropy_geometries",
            "keep_your_distance",
        )
        return SimpleNamespace(**{name: import_module(f"benchmarks.papers.{name}") for name in names})


@pytest.fixture(scope="module")
def clusters(modules):
    return modules.isotropy_clusters_classifiers


@pytest.fixture(scope="module")
def distance(modules):
    return modules.keep_your_distance


@pytest.fixture(scope="module")
def words():
    """Return rows and tags as in the file of words, with tags and supersenses that are left out."""
    x = np.random.default_rng(0).normal(size=(60, D)).astype(np.float16)
    supersenses, tags = np.array(["noun.act", "noun.food", "verb.motion"]), np.array(["nn", "nns", "vbd", "cc", "jj"])
    codes = np.arange(60)
    return {
        "X": x,
        "supersense": codes % 4 - 1,
        "supersense_names": supersenses,
        "pos": codes % 6 - 1,
        "pos_names": tags,
    }


def task(clusters, **options):
    x, y = make_blobs(60, D, centers=2, cluster_std=3.0, random_state=0)
    return clusters.Task("blobs", x.astype(np.float32), y, **options)


def write_polarity(folder):
    x, y = make_blobs(80, D, centers=2, random_state=0)
    np.savez(folder / "rt_polarity_minilm.npz", X_raw=x, y=y)


def test_a_run_is_computed_once(modules, tmp_path, capsys):
    runs = modules._runs.Runs(str(tmp_path / "new"))
    calls = []
    for _ in range(2):
        found = runs.result("name", lambda: calls.append(0) or {"a": [1.0, 2.0], "b": 3})
        assert found["a"].tolist() == [1.0, 2.0]
        assert found["b"] == 3
    assert len(calls) == 1
    assert capsys.readouterr().out.splitlines() == ["name: begins", "name: done before"]


def test_a_run_that_fails_leaves_nothing(modules, tmp_path):
    runs = modules._runs.Runs(str(tmp_path))
    with pytest.raises(ZeroDivisionError):
        runs.result("name", lambda: {"a": 1 / 0})
    assert list(tmp_path.iterdir()) == []
    assert runs.result("name", lambda: {"a": 1})["a"] == 1


def test_without_a_folder_nothing_is_kept(modules, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = modules._runs.Runs(None)
    assert [runs.result("name", lambda value=i: {"a": value})["a"] for i in (1, 2)] == [1, 2]
    assert list(tmp_path.iterdir()) == []


def test_published_parameters_are_those_of_the_sizes(clusters):
    assert all(size.parameters == published for size, published in clusters.SIZES.values())
    assert clusters.Size(5, 3, 2, pairs=True, bias=True).parameters == 15 + 12 + 2


def test_the_head_of_a_run_has_the_parameters_of_its_size(clusters):
    from skgeom.optim import EmbeddingOptimizer

    pairs = np.arange(60).reshape(30, 2)
    paired = task(clusters, pairs=pairs)._replace(y=np.arange(30) % 3)
    fitted = EmbeddingOptimizer(parametrization="points", max_iter=1, monitor=None).fit(paired.x, paired.y, pairs=pairs)
    parameters = sum(a.size for a in (fitted.embedding_, fitted.coef_, fitted.intercept_))
    assert parameters == clusters.Size(60, D, 3, pairs=True).parameters


def test_words_keep_those_that_have_a_class(clusters, words):
    nouns = clusters.supersense_task(words)
    assert nouns.x.shape == (30, D)
    assert nouns.y.shape == (30, 2)
    assert (nouns.y.sum(axis=1) == 1).all()
    tags = clusters.pos_task(words)
    assert tags.y.shape == (40, 3)  # nouns of two tags, verbs and adjectives
    assert tags.y.sum(axis=0).tolist() == [20, 10, 10]
    assert np.unique(tags.clusters).size == 3


def test_rows_start_longer_by_a_factor(clusters):
    short = task(clusters)
    assert clusters.scaled(short, 1.0) is short
    long = clusters.scaled(short, 3.0)
    assert long.name == "blobs x3"
    assert long.x.dtype == np.float32
    np.testing.assert_allclose(long.x, 3 * short.x)
    assert clusters.run_name(long, 1, 20, 5) == "blobs-x3-seed1-updates20-every5"


def test_distinct_label_vectors_are_clusters(clusters):
    several = task(clusters)._replace(y=np.array([[1, 0], [1, 1], [0, 1], [1, 1]]))
    assert several.clusters.tolist() == [1, 2, 0, 2]
    assert several.outputs == 2


def test_a_run_measures_what_the_labels_belong_to(clusters):
    pairs = np.random.default_rng(0).integers(0, 60, size=(40, 2))
    paired = task(clusters, pairs=pairs)._replace(y=np.arange(40) % 2)
    run = clusters.train(paired, 0, 2, 2)
    joint = np.hstack([paired.x[pairs[:, 0]], paired.x[pairs[:, 1]]])
    assert run["iteration"].tolist() == [0, 2]
    assert run["silhouette"][0] == pytest.approx(silhouette_score(joint, paired.y), abs=1e-6)
    expected = silhouette_score(joint, paired.y, metric="sqeuclidean")
    assert run["silhouette_squared"][0] == pytest.approx(expected, abs=1e-6)


def test_isoscore_falls_where_the_silhouette_rises(clusters):
    curves = [clusters.train(task(clusters), seed, 300, 10) for seed in (0, 1)]
    r, rho, *_ = clusters.correlations(curves[0])
    assert r < -0.8
    assert rho < -0.95
    row = clusters.correlation_row("polarity", curves)
    assert row[1] == "-0.808, < -.998"
    assert " ± " in row[2]


def test_few_records_give_the_correlation_of_all_updates(clusters):
    t = np.arange(1001.0)
    silhouette, score = 1 - np.exp(-t / 60), np.exp(-t / 100)
    full = {"iteration": t.astype(int), "silhouette": silhouette, "silhouette_squared": silhouette, "isoscore": score}
    thin = {name: curve[::10] for name, curve in full.items()}
    np.testing.assert_allclose(clusters.correlations(thin), clusters.correlations(full), atol=1e-4)
    raw = np.corrcoef(thin["silhouette"], thin["isoscore"])[0, 1]
    assert abs(raw - clusters.correlations(full)[0]) > 1e-4
    assert "of all records" in clusters.thinned_note("curve", full)


def test_both_stacks_measure_the_same(clusters, tmp_path, modules, monkeypatch):
    monkeypatch.setattr(clusters, "THREADS", 1)
    timed = clusters.timed_run(modules._runs.Runs(str(tmp_path)), task(clusters), 6)
    assert max(timed["differences"]) < 1e-5
    assert len(timed["ours"]) == 6
    assert np.shape(timed["peer"]) == (7, 3, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["blobs-seed0-updates6-every1.npz"]
    text = clusters.speed_verdict({name: np.asarray(value) for name, value in timed.items()})
    assert "Times as fast" in text


def test_tables_and_figure_from_files(clusters, tmp_path, capsys):
    write_polarity(tmp_path)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "mine.npz", X=rng.normal(size=(40, D)), y=np.arange(20) % 2, pairs=np.arange(40).reshape(20, 2))
    argv = ["--data", str(tmp_path), "--tasks", "polarity", "snli", "--task-file", str(tmp_path / "mine.npz")]
    argv += ["--seeds", "2", "--updates", "20", "--every", "2", "--runs", str(tmp_path / "runs")]
    clusters.main([*argv, "--out", str(tmp_path / "tables.md")])
    first = capsys.readouterr().out
    clusters.main(argv)
    assert capsys.readouterr().out.count("done before") == 4
    text = (tmp_path / "tables.md").read_text(encoding="utf-8")
    assert "snli: Skipped: no snli_dev_minilm.npz" in " ".join(text.split())
    assert "at every 2; curves" in " ".join(text.split())
    assert text.count("\n| mine") == 2
    assert "seed 0: r -" in text
    assert "nan" not in text
    assert "begins" in first


def test_items_of_a_file_may_share_rows_that_are_made_unit(clusters, tmp_path):
    x, row = np.random.default_rng(0).normal(size=(30, D)).astype(np.float16), np.arange(40) % 30
    np.savez(tmp_path / "mine.npz", X=x, y=np.zeros(30), row=row, y_items=np.arange(40) % 2)
    mine = clusters.file_task(str(tmp_path / "mine.npz"), unit=True)
    assert mine.x.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(mine.x, axis=1), 1, rtol=1e-6)
    run = clusters.train(mine, 0, 2, 2)
    assert run["silhouette"][0] == pytest.approx(silhouette_score(mine.x[row], mine.y), abs=1e-6)
    expected = silhouette_score(mine.x[row], mine.y, metric="sqeuclidean")
    assert run["silhouette_squared"][0] == pytest.approx(expected, abs=1e-6)


def test_glue_has_a_row_for_each_task_and_encoder(modules, tmp_path, monkeypatch):
    glue = modules.isotropy_glue
    monkeypatch.setattr(glue, "UPDATES", 12)
    monkeypatch.setattr(glue, "SAMPLE", 100)
    rng = np.random.default_rng(0)
    pairs = np.arange(60).reshape(30, 2)
    np.savez(tmp_path / "glue_wnli_minilm.npz", X=rng.normal(size=(60, D)), y=np.arange(30) % 2, pairs=pairs)
    x, y = make_blobs(80, D, centers=2, random_state=0)
    np.savez(tmp_path / "glue_cola_minilm.npz", X=x, y=y, row=np.arange(80), y_items=y)
    glue.main(["--data", str(tmp_path), "--seeds", "2", "--out", str(tmp_path / "glue.md")])
    text = (tmp_path / "glue.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith(("| CoLA", "| WNLI", "| MNLI"))]
    assert len(lines) == 9 + 2
    assert "-0.88291, -0.99996" in lines[0]
    assert sum("no embeddings" in line for line in lines) == 7
    sampled = glue.trained_once(
        modules._runs.Runs(None), modules.isotropy_glue.given(str(tmp_path), "WNLI", "MiniLM")[0], 0
    )
    assert "isoscore_se" not in sampled


def test_heads_and_samples_are_compared(modules, tmp_path, monkeypatch):
    heads = modules.isotropy_heads
    for name, value in {"ROWS": 60, "UPDATES": 12, "SAMPLED_UPDATES": 10, "SIZES": (100,)}.items():
        monkeypatch.setattr(heads, name, value)
    x, y = make_blobs(160, D, centers=2, random_state=0)
    np.savez(tmp_path / "rt_polarity_minilm.npz", X_raw=x.astype(np.float32), y=y)
    heads.main(["--data", str(tmp_path), "--seeds", "2", "--out", str(tmp_path / "heads.md")])
    text = (tmp_path / "heads.md").read_text(encoding="utf-8")
    assert all(f"| {name} " in text for name in (*heads.HEADS, "all", "100"))


def test_distances_of_the_spaces_are_those_of_the_measures(modules):
    spaces = modules.isotropy_geometries
    x, y = make_blobs(60, 4, centers=3, random_state=0)
    for name, metric in (("Euclid", "euclidean"), ("sphere", "geodesic"), ("ball", "poincare")):
        space = spaces.SPACES[name]
        points = space.points(x / 5)
        found = spaces.measured(points, y, space)["silhouette"]
        assert found == pytest.approx(silhouettes(points, y, metric=metric), abs=1e-9)
        np.testing.assert_allclose(space.back(points, space.tangent(points)), points, atol=1e-9)
        if name == "ball":
            np.testing.assert_allclose(
                spaces.ball_distances(np.stack([0 * points[0], points[0]]))[0, 1], np.linalg.norm(x[0] / 5)
            )


@pytest.mark.parametrize("head", ["hyperplanes", "prototypes", "linear"])
def test_heads_of_the_ball_learn(modules, head):
    spaces = modules.isotropy_geometries
    x, y = make_blobs(60, 4, centers=3, cluster_std=3, random_state=0)
    run = spaces.train(spaces.Data("blobs", x / 10, y), spaces.SPACES["ball"], head, 0, every=100)
    assert run["loss"][-1] < 0.8 * run["loss"][0]
    assert len(run["silhouette"]) == 4


def test_collapsed_classes_keep_the_bound_and_simplices_attain_it(modules):
    spaces = modules.isotropy_geometries
    for name in ("Euclid", "sphere", "ball"):
        rng = np.random.default_rng(0)
        assert max(spaces.excess_of(rng, spaces.SPACES[name]) for _ in range(20)) < 1e-12
        assert spaces.simplex(5, 10, spaces.SPACES[name]) == pytest.approx((1 / 3, 1.0), abs=1e-9)


@pytest.mark.parametrize("metric", ["hops", "resistance"])
def test_classes_at_the_nodes_of_graphs_keep_the_bound_and_complete_graphs_attain_it(modules, metric):
    spaces = modules.isotropy_geometries
    distances, rng = spaces.GRAPH_METRICS[metric], np.random.default_rng(1)
    excess = [spaces.graph_excess(rng, distances) for _ in range(1000)]
    assert max(excess) < 1e-12
    assert min(excess) < -0.1
    for k, bound in ((2, 0), (5, 1 / 3), (11, 1)):
        assert spaces.complete_graph(k, 10, distances) == pytest.approx((bound, 1), abs=1e-12)


def test_distances_of_graphs_are_those_of_a_path_and_scaling_gives_them_back(modules):
    spaces = modules.isotropy_geometries
    path = np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1)
    steps = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    np.testing.assert_allclose(spaces.hop_distances(path), steps)
    np.testing.assert_allclose(spaces.resistance_roots(path), np.sqrt(steps), atol=1e-12)
    x = np.random.default_rng(0).normal(size=(9, 3))
    for d in (3, 12):
        scaled = spaces.classical_scaling(cdist(x, x), d)
        assert scaled.shape == (9, d)
        np.testing.assert_allclose(cdist(scaled, scaled), cdist(x, x), atol=1e-6)


def test_known_graphs_come_with_their_classes_or_are_left_out(modules, monkeypatch):
    spaces = modules.isotropy_geometries
    pytest.importorskip("networkx")
    (_, karate, clubs), (_, novel, communities) = spaces.known_graphs()
    assert (karate.sum() / 2, novel.sum() / 2) == (78, 254)
    assert [np.bincount(y).size for y in (clubs, communities)] == [2, 5]
    assert clubs[[0, 33]].tolist() == [0, 1]
    assert spaces.power_row("karate club", karate, clubs, 4)[:2] == ("karate club, k 2, d 4", "0.000")
    monkeypatch.setattr(spaces.importlib.util, "find_spec", lambda name: None)
    assert spaces.known_graphs() == []


def test_a_task_without_rows_is_refused(clusters, tmp_path):
    np.savez(tmp_path / "mine.npz", X=np.ones((3, 2)))
    with pytest.raises(SystemExit, match="expected arrays X and y, got X"):
        clusters.file_task(str(tmp_path / "mine.npz"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of old versions of matplotlib, while it is imported
def test_curves_are_drawn(modules, clusters, distance, tmp_path):
    run = {"iteration": np.arange(9), "silhouette": np.arange(9.0), "silhouette_squared": np.arange(9.0)}
    run["isoscore"] = np.linspace(1, 0.1, 9)
    assert clusters.draw({"task": [run]}, str(tmp_path / "a.png")) == "Drawn: a.png."
    found = {("MMA", "uniform", "Adam"): [{"angle": 1.0, "variance": 0.5}]}
    assert distance.draw(found, ["MMA"], str(tmp_path / "b.png")) == "Drawn: b.png."
    panels = {"labelled": {"linear": [run, run]}, "one colour a run": {"": [run, run]}, "third": {"": [run]}}
    assert modules._figures.draw_conflict(panels, str(tmp_path / "c.png"), columns=2) == "Drawn: c.png."
    assert all((tmp_path / name).stat().st_size > 1000 for name in ("a.png", "b.png", "c.png"))


def test_starts_follow_their_laws(distance):
    n, d, kappa = 20_000, 5, 100.0
    x = distance.power_spherical(n, d, 0)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1)
    a, b = (d - 1) / 2 + kappa, (d - 1) / 2
    assert x[:, 0].mean() == pytest.approx(2 * a / (a + b) - 1, abs=1e-3)
    np.testing.assert_allclose(x[:, 1:].mean(axis=0), 0, atol=5e-3)
    np.testing.assert_allclose(distance.uniform(n, d, 0).mean(axis=0), 0, atol=0.02)


@pytest.mark.parametrize("optimizer", ["riemannian", "adam"])
def test_points_spread_and_stay_on_the_sphere(distance, optimizer):
    start = distance.uniform(12, 3, 0)
    for objective in ("mma", "sliced_dispersion", distance.riesz_as_coded):
        points = distance.spread(start, objective, distance.Descent(optimizer, 0.02, 50, 8), 0)
        np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-9)
        assert distance.described(points)["variance"] > distance.described(start)["variance"]


def test_kernels_as_coded_do_not_repel_at_contact(distance):
    from skgeom.metrics import riesz_energy

    assert distance.repulsion(riesz_energy) == pytest.approx(1e6, rel=1e-3)
    assert distance.repulsion(distance.riesz_as_coded) == pytest.approx(0.5e-3, rel=1e-2)


def test_every_regulariser_has_a_gradient(distance):
    import torch

    for objective in (*distance.REGULARISERS.values(), *distance.AS_CODED.values()):
        x = torch.tensor(distance.uniform(10, 4, 0)).requires_grad_()
        distance.value(objective, x, torch.Generator().manual_seed(0)).backward()
        assert x.grad.isfinite().all()
        assert x.grad.norm() > 0


@pytest.mark.filterwarnings("ignore:The spreading stopped:sklearn.exceptions.ConvergenceWarning")  # after 3 updates
def test_tables_of_regularisers(distance, tmp_path, monkeypatch):
    monkeypatch.setattr(distance, "TARGETS", {(24, 3): distance.TARGETS[24, 3]})
    names = ("MMA", "sliced", "Riesz-log")
    argv = ["--tammes", "4", "3", "--tammes-updates", "3", "--points", "20", "--dimensions", "4", "--batch", "10"]
    argv += ["--descents", "Riem.", "Adam", "SphereDispersion"]
    argv += ["--updates", "2", "--baseline-points", "20", "--runs", str(tmp_path / "runs"), "--regularisers", *names]
    distance.main([*argv, "--out", str(tmp_path / "tables.md")])
    text = (tmp_path / "tables.md").read_text(encoding="utf-8")
    for name in names:
        assert text.count(f"\n| {name} ") == 4  # Tammes, and angle, variance and time of the cloud
    assert text.count("impossible") == 1
    assert "109.471" in text
    assert " nan" not in text


def test_the_full_sizes_are_options(distance):
    assert set(distance.FULL) <= set(vars(distance.parser().parse_args([])))
