"""What a type checker says of code that uses the package: right use passes, and a misspelled word is found."""

import ast
import re
from pathlib import Path
from textwrap import dedent

import pytest

import skgeom

# Each page is a file for mypy. Lines that end in "# refused: WORD" must be errors that have the word, and no others.
PAGES = {
    "estimators": """
        import numpy as np
        from sklearn.base import clone
        from sklearn.pipeline import make_pipeline

        import skgeom
        from skgeom import AllButTheTop, EmbeddingOptimizer, GroupWhitening, LstsqAligner, SphereDispersion, Whitening
        from skgeom import Whitning  # refused: Whitening
        from skgeom.metrics import conformity_divergence, pair_distance_ratio
        from skgeom.multimodal import ZeroShotClassifier
        from skgeom.preprocessing import Whitening as SameWhitening

        X = np.ones((4, 2))

        pipe = make_pipeline(Whitening(2, method="zca", shrinkage="oas"), AllButTheTop("auto", projection="raw"))
        pipe.fit(X)
        same: type[SameWhitening] = skgeom.Whitening
        rank: int = Whitening(method="pca-cor").fit(X).rank_
        clone(Whitening(shrinkage=0.5))
        GroupWhitening(method="cholesky").fit(X, groups=["a", "a", "b", "b"])
        LstsqAligner(alpha="gcv", prior="orthogonal").fit(X, X)
        EmbeddingOptimizer({"uniformity": 1, "koleo": 0.5}, constraint="sphere", monitor=["isoscore"]).fit(X)
        SphereDispersion("mma", polish="auto").fit(X).fit_transform(X).shape[0] + 1
        ZeroShotClassifier(logits="dot")
        pair_distance_ratio(X, X, reference="pooled") + conformity_divergence(X, X, method="histogram")

        Whitening(metod="zca")  # refused: "metod"
        Whitening(method="PCA")  # refused: "method"
        Whitening(shrinkage="lw")  # refused: "shrinkage"
        Whitening(method=3)  # refused: "method"
        Whitening("zca")  # refused: Argument 1
        Whitening().fit(X, weight=X)  # refused: "weight"
        AllButTheTop("all")  # refused: Argument 1
        GroupWhitening(method="none")  # refused: "method"
        LstsqAligner(prior="identiti")  # refused: "prior"
        EmbeddingOptimizer(constraint="ball")  # refused: "constraint"
        EmbeddingOptimizer(optimizer="adamw")  # refused: "optimizer"
        EmbeddingOptimizer().fit(X, X, X)  # refused: "fit"
        SphereDispersion(polish="never")  # refused: "polish"
        ZeroShotClassifier(logits="cos")  # refused: "logits"
        pair_distance_ratio(X, X, reference="all")  # refused: "str"
        skgeom.Whiten  # refused: "Whiten"
        skgeom.optim.RiemannianAdm  # refused: "RiemannianAdm"
    """,
    "measures": """
        import numpy as np
        import numpy.typing as npt
        import polars as pl
        import torch

        import skgeom
        from skgeom._typing import Array
        from skgeom.metrics import clip_loss, conformity, isoscore, silhouette_score, uniformity

        X: npt.NDArray[np.float64] = np.ones((4, 2))
        x = torch.ones(4, 2, requires_grad=True)
        arrays: list[Array] = [X, np.ones(3, dtype=np.float32), np.arange(3), np.ones(2) > 0, x, x > 0]
        wrong: Array = [[1.0, 0.0]]  # refused: "list

        total: float = skgeom.metrics.isoscore(X) + isoscore(X, debias=True) + uniformity(X=X, t=4.0)
        uniformity(x).backward()
        (uniformity(x, t=4) + 0.1 * clip_loss(x, x, temperature=0.07)).backward()
        silhouette_score(x, [0, 0, 1, 1], metric="cosine").backward()
        conformity(X).mean() + conformity(x).mean().item()
        uniformity([[1.0, 0.0]]).is_integer()
        uniformity(pl.DataFrame({"a": [1.0]})).is_integer()
        isoscore(iter([X, X])).is_integer()
        skgeom.isoscore_scorer(None, X)

        uniformity(X, t=2.0, device="cuda").is_integer()
        conformity(X, device="auto").mean()

        isoscore(X, debiased=True)  # refused: "bool"
        uniformity(x, tt=2)  # refused: "int"
        isoscore(X, device=3)  # refused: "int"
        uniformity(x, t="two")  # refused: "str"
        uniformity(X).backward()  # refused: "backward"
        silhouette_score(X, [0, 1], metric="manhattan")  # refused: "str"
        uniformity("text")  # refused: "str"
        silhouette_score(X)  # refused: ScalarMeasure
        skgeom.metrics.isoscor  # refused: "isoscor"
    """,
}
MARK = "  # refused: "


@pytest.fixture(scope="module")
def errors(tmp_path_factory):
    """Return the errors of one run of mypy over all pages: for each page, the texts by number of line."""
    api = pytest.importorskip("mypy.api", reason="mypy is not installed: pip install mypy")
    folder = tmp_path_factory.mktemp("pages")
    for name, page in PAGES.items():
        (folder / f"{name}.py").write_text(dedent(page).strip(), encoding="utf-8")
    options = ["--ignore-missing-imports", "--no-error-summary", "--hide-error-context", "--no-color-output"]
    options += ["--config-file=", f"--cache-dir={folder / 'cache'}", "--check-untyped-defs"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(skgeom.__file__).parents[1]))  # the package under test, as if installed
        out, trouble, _ = api.run([*options, *(str(folder / f"{name}.py") for name in PAGES)])
    assert not trouble
    found = {name: {} for name in PAGES}
    for name, line, text in re.findall(r"^.*?(\w+)\.py:(\d+): error: (.*)$", out, flags=re.MULTILINE):
        if name in found:
            found[name].setdefault(int(line), []).append(text)
    return found


@pytest.mark.parametrize("name", PAGES)
def test_right_use_passes_and_wrong_use_is_refused(errors, name):
    if name == "measures":
        pytest.importorskip("torch")
    lines = [line.strip() for line in PAGES[name].strip().splitlines()]
    expected = {i: line.partition(MARK)[2] for i, line in enumerate(lines, 1) if MARK in line}
    unforeseen = {lines[i - 1]: texts for i, texts in errors[name].items() if i not in expected}
    missed = [lines[i - 1] for i, word in expected.items() if not any(word in t for t in errors[name].get(i, ()))]
    assert not unforeseen
    assert not missed


def tree_of(module):
    return ast.parse(Path(module.__file__).read_text(encoding="utf-8"))


def assigned(tree, name):
    """Return the literal that a name of a file is bound to."""
    return next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    )


def seen_by_checkers(tree):
    """Return the names that a file imports for type checkers only, with the modules they come from."""
    block = next(node for node in tree.body if isinstance(node, ast.If) and "not" not in ast.unparse(node.test))
    assert ast.unparse(block.test) in ("TYPE_CHECKING", "_typing.TYPE_CHECKING")
    return {alias.name: node.module for node in block.body for alias in node.names if alias.asname is None}


def test_flagship_names_are_the_same_for_checkers_and_at_run_time():
    tree = tree_of(skgeom)
    packages = dict.fromkeys(assigned(tree, "_PACKAGES"), "skgeom")
    homes = {name: f"skgeom.{package}" for name, package in assigned(tree, "_HOMES").items()}
    assert seen_by_checkers(tree) == packages | homes
    assert set(assigned(tree, "__all__")) == {"__version__", *packages, *homes}


def test_names_that_need_torch_are_the_same_for_checkers_and_at_run_time():
    tree = tree_of(skgeom.optim)
    homes = {name: f"skgeom.optim.{file}" for name, file in assigned(tree, "_HOMES").items()}
    eager = {
        alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names if not alias.asname
    }
    assert seen_by_checkers(tree) == homes
    assert set(assigned(tree, "__all__")) == eager | set(homes)
