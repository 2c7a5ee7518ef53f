"""A fit or partial_fit that is cut off anywhere leaves the estimator exactly as it was before or after."""

import copy
import sys

import numpy as np
import pytest

from skgeom.alignment import LstsqAligner, ProcrustesAligner
from skgeom.preprocessing import GroupCentering, Whitening

X, Y = np.random.default_rng(0).normal(size=(2, 30, 4))
WIDE = np.random.default_rng(1).normal(size=(40, 6))
GROUPS = np.arange(30) % 2

CASES = {
    "whitening": (Whitening().fit(X), lambda e: e.fit(WIDE)),
    "whitening in parts": (Whitening().fit(X), lambda e: e.partial_fit(Y)),
    "rotation": (ProcrustesAligner().fit(X, Y), lambda e: e.fit(WIDE, WIDE[::-1])),
    "least squares in parts": (LstsqAligner().fit(X, Y), lambda e: e.partial_fit(Y, X)),
    "groups": (GroupCentering().fit(X, groups=GROUPS), lambda e: e.fit(WIDE, groups=np.arange(40) % 2)),
}


def cut_off(call, estimator, k, kind):
    """Raise at the k-th line of skgeom that runs, and return whether the call came to its end."""
    left = [k]

    def trace(frame, event, _):
        if "skgeom" not in frame.f_code.co_filename:
            return None
        left[0] -= event == "line"
        if left[0] == 0:
            left[0] = -1
            raise kind
        return trace

    sys.settrace(trace)
    try:
        call(estimator)
    except kind:
        return False
    finally:
        sys.settrace(None)
    return True


@pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("case", CASES)
def test_no_line_leaves_it_between(case, kind):
    fitted, call = CASES[case]
    after = call(copy.deepcopy(fitted))
    for k in range(1, 2000):
        estimator = copy.deepcopy(fitted)
        before = dict(vars(estimator))
        if cut_off(call, estimator, k, kind):
            break
        is_before = all(vars(estimator).get(name) is value for name, value in before.items())
        if not is_before:
            assert vars(estimator).keys() == vars(after).keys()
            assert estimator.n_features_in_ == after.n_features_in_
            rows = WIDE if estimator.n_features_in_ == 6 else X
            extra = {"groups": np.arange(len(rows)) % 2} if case == "groups" else {}
            assert estimator.transform(rows, **extra).shape[1] == after.n_features_in_
            assert not any(vars(estimator)[name] is before.get(name) for name in before if name.startswith("_mom"))
    assert 50 < k < 1999


def moved_to_one(z):
    return ((z - 1) ** 2).mean()


LONG = {
    "points": {"parametrization": "points"},
    "map": {"parametrization": "linear"},
    "batches": {"parametrization": "points", "batch_size": 12},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError, SystemExit])
@pytest.mark.parametrize("case", LONG)
def test_no_line_leaves_a_long_fit_between(case, kind):
    optim = pytest.importorskip("skgeom.optim")
    torch = pytest.importorskip("torch")
    parameters = {"max_iter": 4, "monitor": None, "random_state": 0, **LONG[case]}
    fitted = optim.EmbeddingOptimizer(moved_to_one, **parameters).fit(WIDE)
    outcomes = set()
    for k in range(1, 2000, 7):
        optimizer = copy.deepcopy(fitted)
        before = dict(vars(optimizer))
        came_to_its_end = cut_off(lambda e: e.fit(X), optimizer, k, kind)
        if came_to_its_end and optimizer.n_iter_ == 4 and not optimizer.was_interrupted_:
            break
        if all(vars(optimizer).get(name) is value for name, value in before.items()):
            outcomes.add("before")
            continue
        outcomes.add("after")
        assert vars(optimizer).keys() == before.keys()
        assert optimizer.n_features_in_ == 4
        assert optimizer.history_.iteration.size in (optimizer.n_iter_, optimizer.n_iter_ + 1)
        if case != "batches":
            z = optimizer.transform(X) if case == "map" else optimizer.embedding_
            assert moved_to_one(torch.tensor(z)).item() == pytest.approx(optimizer.loss_, rel=1e-12)
    assert outcomes == {"before", "after"}
    assert 300 < k < 1990
