"""Warnings point at the line of the caller, through all that wraps it."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skgeom._warnings import silenced
from skgeom.alignment import CCAAligner, LstsqAligner
from skgeom.multimodal import ZeroShotClassifier
from skgeom.preprocessing import GroupCentering, Whitening

X = np.random.default_rng(0).normal(size=(60, 4))
TOO_MANY = Whitening(n_components=9)
SEARCH = GridSearchCV(make_pipeline(TOO_MANY), {"whitening__method": ["zca"]}, scoring=lambda *_: 0.0)

CALLS = {
    "fit": lambda: TOO_MANY.fit(X),
    "fit_transform": lambda: TOO_MANY.fit_transform(X),
    "partial_fit": lambda: Whitening(n_components=9).partial_fit(X),
    "search": lambda: SEARCH.fit(X),
    "few rows": lambda: Whitening().fit(X[:8]),
    "groups": lambda: GroupCentering().fit(X),
    "two sides": lambda: CCAAligner(n_components=9).fit(X, X + 1),
    "labels as targets": lambda: LstsqAligner().fit(X, np.arange(60) % 3),
    "zero rows": lambda: ZeroShotClassifier().fit(X, np.arange(60) % 3).predict(np.zeros((2, 4))),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_warning_points_at_the_callers_line(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        CALLS[call]()
    ours = [w for w in caught if w.category is UserWarning]
    assert ours
    assert {w.filename for w in ours} == {__file__}


def test_the_filters_come_back_with_the_last_of_several_threads():
    before, met = list(warnings.filters), threading.Barrier(2, timeout=20)

    def first():
        with silenced("one"):
            met.wait()
            met.wait()
        met.wait()

    def second():
        met.wait()  # the first has begun
        with silenced("other", UserWarning):
            met.wait()
            met.wait()  # the first is over
            assert warnings.filters != before

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(first), pool.submit(second)]:
            done.result()
    assert warnings.filters == before


def test_only_what_matches_is_silenced():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with silenced("some", UserWarning):
            for text, category in (("some text", UserWarning), ("other text", UserWarning), ("some", RuntimeWarning)):
                warnings.warn(text, category, stacklevel=1)
    assert [str(one.message) for one in caught] == ["other text", "some"]
