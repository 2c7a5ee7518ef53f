"""Long work is never lost: exceptions, interrupts, checkpoints, and the modes of Torch around a fit."""

import copy
import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

torch = pytest.importorskip("torch")

from skgeom.metrics import mma  # noqa: E402
from skgeom.optim import EmbeddingOptimizer, SphereDispersion  # noqa: E402
from skgeom.optim._checkpoint import mark  # noqa: E402

KINDS = [
    RuntimeError,
    torch.OutOfMemoryError,
    SystemExit,
    MemoryError,
    FloatingPointError,
    ValueError,
    TypeError,
    KeyError,
    ZeroDivisionError,
    OSError,
    AssertionError,
    GeneratorExit,
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(20, 3))


def to_one(z):
    return ((z - 1) ** 2).mean()


class At:
    """A function that does something else from its k-th call on."""

    def __init__(self, k, function, then):
        self.left, self.function, self.then = k, function, then

    def __call__(self, z):
        self.left -= 1
        return self.function(z) if self.left > 0 else self.then(z)


def raising(kind):
    def then(z):
        raise kind("no more")

    return then


def quick(objective=to_one, **parameters):
    return EmbeddingOptimizer(
        objective,
        **{"parametrization": "points", "max_iter": 9, "learning_rate": 0.01, "monitor": None, **parameters},
    )


# Exceptions


@every_kind
@pytest.mark.parametrize("parametrization", ["points", "linear"])
def test_an_exception_of_the_objective_passes_with_the_best_state_kept(rows, kind, parametrization):
    optimizer = quick(At(5, to_one, raising(kind)), parametrization=parametrization)
    with pytest.raises(kind) as caught:
        optimizer.fit(rows)
    assert optimizer.n_iter_ == 4
    z = optimizer.embedding_ if parametrization == "points" else optimizer.transform(rows)
    assert to_one(torch.tensor(z)).item() == pytest.approx(optimizer.loss_, rel=1e-12)
    assert optimizer.loss_ == optimizer.history_.loss.min() < optimizer.history_.loss[0]
    assert "The state after 3 updates" in caught.value.__notes__[0]
    assert not optimizer.was_interrupted_


@pytest.mark.parametrize("kind", [*KINDS, KeyboardInterrupt], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("was_fitted", [False, True])
def test_an_exception_before_the_first_update_leaves_the_estimator_as_it_was(rows, kind, was_fitted):
    optimizer = quick().fit(rows[:, :2]) if was_fitted else quick()
    optimizer.set_params(objective=At(1, to_one, raising(kind)))
    before = dict(vars(optimizer))
    with pytest.raises(kind):
        optimizer.fit(rows)
    assert vars(optimizer).keys() == before.keys()
    assert all(vars(optimizer)[name] is value for name, value in before.items())


@pytest.mark.parametrize("estimator", [quick(), SphereDispersion(max_iter=3)], ids=["optimizer", "dispersion"])
@pytest.mark.parametrize("X", [np.full((4, 5), np.nan), np.zeros((4, 1)), np.ones((1, 6))])
def test_refused_data_change_nothing(rows, estimator, X):
    if X.shape == (4, 1) and isinstance(estimator, EmbeddingOptimizer):
        estimator.set_params(constraint="sphere")
    fitted = copy.deepcopy(estimator).fit(rows)
    before = dict(vars(fitted))
    with pytest.raises(ValueError):
        fitted.fit(X)
    assert fitted.n_features_in_ == 3
    assert all(vars(fitted)[name] is value for name, value in before.items())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if issubclass(kind, Exception)])
def test_a_failing_monitor_records_nan_and_warns_once(rows, kind):
    failing, also = At(3, lambda z: 7.0, raising(kind)), At(4, lambda z: 8.0, raising(kind))
    with pytest.warns(RuntimeWarning, match="The monitor") as caught:
        optimizer = quick(monitor=[failing, "isoscore", also], max_iter=5).fit(rows)
    assert len(caught) == 2
    assert optimizer.n_iter_ == 5
    np.testing.assert_array_equal(optimizer.history_["At"], [7.0, 7.0] + [np.nan] * 4)
    np.testing.assert_array_equal(optimizer.history_["At_2"], [8.0] * 3 + [np.nan] * 3)
    assert np.isfinite(optimizer.history_["isoscore"]).all()


def test_rows_that_cannot_be_made_for_the_monitors_record_nan(rows, monkeypatch):
    from skgeom.optim._movable import LinearMap

    made, left = LinearMap.rows, [3]

    def too_large(self, index):
        if index is None:
            left[0] -= 1
            if left[0] <= 0:
                raise torch.OutOfMemoryError("no memory for all rows")
        return made(self, index)

    monkeypatch.setattr(LinearMap, "rows", too_large)
    with pytest.warns(RuntimeWarning, match="no memory for all rows") as caught:
        optimizer = quick(
            parametrization="linear", batch_size=5, monitor=["isoscore", len], max_iter=5, random_state=0
        ).fit(rows)
    assert len(caught) == 2
    assert optimizer.n_iter_ == 5
    for name in ("isoscore", "len"):
        np.testing.assert_array_equal(np.isfinite(optimizer.history_[name]), [True] * 2 + [False] * 4)


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit])
def test_what_ends_a_program_passes_through_a_monitor_with_the_state_kept(rows, kind):
    optimizer = quick(monitor=At(4, lambda z: 0.0, raising(kind)))
    with pytest.raises(kind):
        optimizer.fit(rows)
    assert_kept_of_three(optimizer)


def assert_kept_of_three(optimizer):
    assert optimizer.n_iter_ == 3
    assert optimizer.history_.iteration.tolist() == [0, 1, 2]
    assert to_one(torch.tensor(optimizer.embedding_)).item() == pytest.approx(optimizer.loss_, rel=1e-12)


def test_a_monitor_that_fails_at_the_start_is_the_callers(rows):
    optimizer = quick(monitor=At(1, lambda z: 0.0, raising(KeyError)))
    with pytest.raises(KeyError):
        optimizer.fit(rows)
    assert not hasattr(optimizer, "n_iter_")


def test_parameters_that_diverge_end_the_fit_with_a_warning(rows):
    def refuse_what_is_not_finite(z):
        if not torch.isfinite(z).all():
            raise ValueError("X contains NaN or infinity")
        return (z**3).sum()

    with pytest.warns(ConvergenceWarning, match="the parameters became infinite or NaN|the loss became"):
        optimizer = quick(refuse_what_is_not_finite, optimizer="sgd", learning_rate=1e200, max_iter=50).fit(rows)
    assert np.isfinite(optimizer.embedding_).all()


@every_kind
def test_an_exception_in_a_step_leaves_the_best_state(rows, kind, monkeypatch):
    from skgeom.optim._riemannian import RiemannianAdam

    step, left = RiemannianAdam._move, [4]

    def broken(self, p, gradient, group):
        left[0] -= 1
        step(self, p, gradient, group)
        if left[0] == 0:
            with torch.no_grad():
                p.fill_(5.0)
            raise kind("half way")

    monkeypatch.setattr(RiemannianAdam, "_move", broken)
    optimizer = quick(constraint="sphere")
    with pytest.raises(kind):
        optimizer.fit(rows)
    assert optimizer.n_iter_ == 3
    assert to_one(torch.tensor(optimizer.embedding_)).item() == pytest.approx(optimizer.loss_, rel=1e-12)


@every_kind
def test_spread_points_are_kept_with_the_earlier_starts(rows, kind):
    loss = At(15, mma, raising(kind))
    spread = SphereDispersion(loss, n_init=3, max_iter=10, polish=False, random_state=0)
    with pytest.raises(kind):
        spread.fit(rows)
    whole = SphereDispersion(mma, max_iter=10, polish=False, random_state=0).fit(rows)
    assert spread.loss_ <= whole.loss_
    assert mma(spread.embedding_) == pytest.approx(spread.loss_, rel=1e-9)
    assert spread.history_.loss.size > 3


@every_kind
def test_a_start_that_fails_at_once_keeps_those_before(rows, kind):
    spread = SphereDispersion(At(12, mma, raising(kind)), n_init=2, max_iter=10, polish=False, random_state=0)
    with pytest.raises(kind):
        spread.fit(rows)
    whole = SphereDispersion(mma, max_iter=10, polish=False, random_state=0).fit(rows)
    np.testing.assert_array_equal(spread.embedding_, whole.embedding_)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError])
def test_a_polish_that_is_cut_short_keeps_the_points_before(rows, kind, monkeypatch):
    monkeypatch.setattr("skgeom.optim._spreading.polish", raising(kind))
    spread = SphereDispersion(max_iter=10, polish=True, random_state=0)
    how = pytest.warns(ConvergenceWarning, match="interrupted") if kind is KeyboardInterrupt else pytest.raises(kind)
    with how:
        spread.fit(rows)
    plain = SphereDispersion(max_iter=10, polish=False, random_state=0).fit(rows)
    np.testing.assert_array_equal(spread.embedding_, plain.embedding_)


class Callback:
    """Fails in one of the hooks of scikit-learn's callbacks."""

    def __init__(self, where, kind):
        self.where, self.kind, self.left, self.calls = where, kind, 4, []

    def _hook(self, name, context):
        self.calls.append(name)
        if name == self.where and getattr(context, "task_name", "") != "fit":
            self.left -= 1
            if self.left == 0:
                raise self.kind("from a callback")

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self._hook("begin", context)

    def on_fit_task_end(self, estimator, context):
        self._hook("end", context)


@every_kind
@pytest.mark.parametrize("where", ["begin", "end"])
def test_an_exception_of_a_callback_keeps_the_state_and_tears_down(rows, kind, where):
    pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has no callbacks")
    callback = Callback(where, kind)
    optimizer = quick().set_callbacks(callback)
    with pytest.raises(kind, match="from a callback"):
        optimizer.fit(rows)
    assert optimizer.n_iter_ in (3, 4)
    assert to_one(torch.tensor(optimizer.embedding_)).item() == pytest.approx(optimizer.loss_, rel=1e-12)
    assert callback.calls[-1] == "teardown"
    assert not hasattr(optimizer, "_callback_fit_ctx")


# Signals


def terminate(z):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.01)
    return to_one(z)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that Python sees")
def test_sigterm_is_an_interrupt_and_its_handler_comes_back(rows):
    def handler(number, frame):
        raise AssertionError("the handler of the program ran during the fit")

    before = signal.signal(signal.SIGTERM, handler)
    try:
        with pytest.warns(ConvergenceWarning, match="it was interrupted"):
            optimizer = quick(At(4, to_one, terminate)).fit(rows)
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, before)
    assert optimizer.was_interrupted_
    assert_kept_of_three(optimizer)


def test_a_fit_outside_of_the_main_thread_handles_no_signal(rows):
    before, during = signal.getsignal(signal.SIGTERM), []

    def looking(z):
        during.append(signal.getsignal(signal.SIGTERM))
        return to_one(z)

    worker = threading.Thread(target=quick(looking).fit, args=(rows,))
    worker.start()
    worker.join()
    assert set(during) == {before}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that Python sees")
def test_an_ignored_sigterm_stays_ignored(rows):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert quick(At(4, to_one, terminate)).fit(rows).n_iter_ == 9
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.fixture
def _interruptible():
    """Handle Ctrl-C as Python does, also where the shell told the process to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_an_interrupt_while_the_state_is_kept_waits(rows, monkeypatch):
    reached = EmbeddingOptimizer._reached

    def slowly(run, outcome):
        signal.raise_signal(signal.SIGINT)
        return reached(run, outcome)

    monkeypatch.setattr(EmbeddingOptimizer, "_reached", staticmethod(slowly))
    optimizer = quick()
    with pytest.raises(KeyboardInterrupt):
        optimizer.fit(rows)
    assert optimizer.n_iter_ == 9
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("_interruptible")
def test_a_second_interrupt_waits_until_the_state_of_the_first_is_kept(rows, monkeypatch):
    from skgeom.optim._descent import Best

    restore = Best.restore

    def impatient(best):
        signal.raise_signal(signal.SIGINT)
        restore(best)

    monkeypatch.setattr(Best, "restore", impatient)
    optimizer = quick(At(4, to_one, raising(KeyboardInterrupt)))
    with pytest.raises(KeyboardInterrupt):
        optimizer.fit(rows)
    assert_kept_of_three(optimizer)


@pytest.mark.usefixtures("_interruptible")
def test_an_interrupt_between_two_starts_ends_the_fit_before_the_second(rows, monkeypatch):
    from skgeom.optim import _spreading

    angle = _spreading.least_angle

    def slowly(points):
        signal.raise_signal(signal.SIGINT)
        return angle(points)

    monkeypatch.setattr(_spreading, "least_angle", slowly)
    spread = SphereDispersion(max_iter=10, n_init=3, polish=False, random_state=0)
    with pytest.warns(ConvergenceWarning, match="it was interrupted"):
        spread.fit(rows)
    monkeypatch.undo()
    whole = SphereDispersion(max_iter=10, polish=False, random_state=0).fit(rows)
    np.testing.assert_array_equal(spread.embedding_, whole.embedding_)


@pytest.mark.parametrize("estimator", [quick(), SphereDispersion(max_iter=3)], ids=["optimizer", "dispersion"])
def test_memory_that_is_short_when_the_state_is_kept_is_asked_for_again(rows, estimator, monkeypatch):
    reached, left = type(estimator)._reached, [1]

    def short(*args):
        left[0] -= 1
        if left[0] >= 0:
            raise MemoryError
        return reached(*args)

    whole = copy.deepcopy(estimator).set_params(random_state=0).fit(rows)
    monkeypatch.setattr(type(estimator), "_reached", staticmethod(short))
    kept = copy.deepcopy(estimator).set_params(random_state=0).fit(rows)
    np.testing.assert_array_equal(kept.embedding_, whole.embedding_)
    before, left[0] = dict(vars(kept)), 2
    with pytest.raises(MemoryError):
        kept.fit(rows[:, :2])
    assert vars(kept) == before


# Checkpoints

CASES = {
    "points": {},
    "linear": {"parametrization": "linear", "constraint": "fixed_norm"},
    "sphere": {"constraint": "sphere", "batch_size": 6},
    "batches": {"batch_size": 7, "objective": "cross_entropy", "monitor": ["isoscore"]},
    "sgd": {"optimizer": "sgd", "batch_size": 5, "tol": 1e-9},
    "random": {"objective": "sliced_dispersion", "constraint": "sphere"},
}


class Killed(BaseException):
    pass


def assert_equal_fits(one, other):
    fitted = [name for name in vars(one) if name.endswith("_") and name != "history_"]
    assert "n_iter_" in fitted
    for name in fitted:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name in one.history_:
        np.testing.assert_array_equal(one.history_[name], other.history_[name], err_msg=name)


def killed_at(k, monkeypatch):
    """Let the process die, as far as a fit can see, before its k-th update."""
    from skgeom.optim import _callbacks

    left, begin = [k], _callbacks.Updates.begin

    def dying(self):
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        begin(self)

    monkeypatch.setattr(_callbacks.Updates, "begin", dying)


@pytest.mark.filterwarnings("ignore:The loss still falls")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("k", [6, 11, 17])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_killed_fit_that_goes_on_equals_the_unbroken_one(rows, case, k, dtype, tmp_path, monkeypatch):
    X, y = rows.astype(dtype), np.arange(20) % 2
    parameters = {"random_state": 0, "max_iter": 20, **CASES[case]}
    whole = quick(**parameters).fit(X, y)
    file = tmp_path / "fit.ckpt"
    with monkeypatch.context() as patch:
        killed_at(k, patch)
        with pytest.raises(Killed):
            quick(**parameters, checkpoint=file, checkpoint_every=5).fit(X, y)
    assert file.exists()
    resumed = quick(**parameters, checkpoint=str(file), checkpoint_every=5).fit(X, y)
    assert_equal_fits(whole, resumed)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("k", [6, 17, 33])
@pytest.mark.parametrize("parameters", [{}, {"batch_size": 6}, {"loss": "lloyd"}, {"polish": True}])
def test_a_killed_spreading_that_goes_on_equals_the_unbroken_one(rows, k, parameters, tmp_path, monkeypatch):
    parameters = {"max_iter": 15, "n_init": 3, "polish": False, "random_state": 0, **parameters}
    whole = SphereDispersion(**parameters).fit(rows)
    parameters |= {"checkpoint": tmp_path / "spread.ckpt", "checkpoint_every": 4}
    with monkeypatch.context() as patch:
        killed_at(k, patch)
        with pytest.raises(Killed):
            SphereDispersion(**parameters).fit(rows)
    assert (tmp_path / "spread.ckpt").exists()
    assert_equal_fits(whole, SphereDispersion(**parameters).fit(rows))
    assert list(tmp_path.iterdir()) == []


PROGRAM = """
import os, sys
import numpy as np
from skgeom.optim import EmbeddingOptimizer
X = np.random.default_rng(0).normal(size=(20, 3))
def dying(z):
    dying.left -= 1
    if not dying.left:
        os._exit(9)
    return ((z - 1) ** 2).mean()
dying.left = int(sys.argv[2])
fit = EmbeddingOptimizer(dying, max_iter=20, batch_size=6, monitor=None, random_state=None, checkpoint=sys.argv[1],
                         checkpoint_every=3).fit(X)
print(fit.history_.iteration.tolist() == list(range(21)), fit.n_iter_)
"""


def test_a_process_that_dies_goes_on_in_another(tmp_path):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "fit.ckpt")]
    assert subprocess.run([*command, "12"], check=False).returncode == 9
    assert [path.name for path in tmp_path.iterdir()] == ["fit.ckpt"]
    assert subprocess.run([*command, "100"], check=True, capture_output=True, text=True).stdout == "True 20\n"


@pytest.fixture
def broken(rows, tmp_path, monkeypatch):
    """Return the file of a fit that was killed."""
    with monkeypatch.context() as patch:
        killed_at(6, patch)
        with pytest.raises(Killed):
            quick(checkpoint=tmp_path / "fit.ckpt", checkpoint_every=2, random_state=0).fit(rows)
    return tmp_path / "fit.ckpt"


def other_function(z):
    return ((z - 2) ** 2).mean()


@pytest.mark.parametrize(
    ("parameters", "change", "what"),
    [
        ({"learning_rate": 0.02}, lambda X: X, "learning_rate"),
        ({"max_iter": 10}, lambda X: X, "max_iter"),
        ({"objective": other_function}, lambda X: X, "objective"),
        ({"objective": {to_one: 2.0}}, lambda X: X, "objective"),
        ({"random_state": 1}, lambda X: X, "random_state"),
        ({}, lambda X: X + 1e-15, "X"),
        ({}, lambda X: X.astype(np.float32), "X"),
        ({}, lambda X: X[:10], "X"),
    ],
)
def test_a_checkpoint_of_another_fit_is_refused(rows, broken, parameters, change, what):
    optimizer = quick(**{"random_state": 0, "checkpoint": broken, **parameters})
    with pytest.raises(ValueError, match=f"belongs to another fit: {what} differ"):
        optimizer.fit(change(rows))
    assert broken.exists()
    assert not hasattr(optimizer, "n_iter_")


def made(text, **around):
    exec(text, around)
    return around["loss"]


def held(value):
    def loss(z):
        return ((z - value) ** 2).mean()

    return loss


def calling(function):
    def loss(z):
        return function(z)

    return loss


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (made("def loss(z): return (z - 1).square().mean()"), made("def loss(z): return (z - 9).square().mean()")),
        (made("def loss(z): return z.sin().mean()"), made("def loss(z): return z.cos().mean()")),
        (made("def loss(z, t=1): return (t * z).mean()"), made("def loss(z, t=2): return (t * z).mean()")),
        (made("def loss(z, *, t=1): return (t * z).mean()"), made("def loss(z, *, t=2): return (t * z).mean()")),
        (made("def loss(z): return sum(v for v in z * 1)"), made("def loss(z): return sum(v + 1 for v in z * 1)")),
        (held(1.0), held(9.0)),
        (held(np.zeros(3)), held(np.ones(3))),
        (held((1.0, 2.0)), held((1.0, 9.0))),
        (calling(held(1.0)), calling(to_one)),
        (calling(held(1.0)), calling(held(9.0))),
    ],
    ids=[
        *("constant", "name", "default", "keyword", "inner code"),
        *("number around", "array around", "tuple around", "function around", "number around a function around"),
    ],
)
def test_functions_that_compute_other_values_make_another_fit(one, other):
    assert mark(one) != mark(other)
    assert mark(one) == mark(one)


def test_a_function_that_holds_itself_has_a_mark():
    def loss(z):
        return loss(z[1:]) if len(z) > 1 else z.sum()

    assert mark(loss) == mark(loss)


def test_a_counter_that_a_function_holds_makes_no_other_fit():
    calls = []
    before = mark(held(calls))
    calls.append(1)
    assert mark(held(calls)) == before


def test_the_mark_of_a_function_is_the_same_in_every_process():
    code = (
        "from skgeom.optim._checkpoint import mark\n"
        "def loss(z): return 1.0 if z in {'a', 'b', 'c', 'd'} else [v for v in z]\n"
        "print(mark(loss))"
    )
    seeds = [{**os.environ, "PYTHONHASHSEED": seed} for seed in ("1", "2", "3")]
    found = {
        subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True).stdout for env in seeds
    }
    assert len(found) == 1


def test_what_is_printed_or_how_often_is_saved_makes_no_other_fit(rows, broken, capsys):
    optimizer = quick(random_state=0, checkpoint=broken, checkpoint_every=7, verbose=1).fit(rows)
    assert optimizer.n_iter_ == 9


def test_an_interrupted_fit_goes_on_from_its_checkpoint(rows, tmp_path):
    file = tmp_path / "fit.ckpt"
    parameters = {"checkpoint": file, "checkpoint_every": 2, "random_state": 0}
    stop = At(6, to_one, raising(KeyboardInterrupt))
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        quick(stop, **parameters).fit(rows)
    assert file.exists()
    resumed = quick(At(100, to_one, None), **parameters).fit(rows)
    assert_equal_fits(quick(random_state=0).fit(rows), renamed(resumed))


def renamed(optimizer):
    history = optimizer.history_
    history._columns["to_one"] = history._columns.pop("At")
    return optimizer


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_other_files_are_not_read_as_checkpoints_and_stay(rows, tmp_path, content):
    file = tmp_path / "notes"
    torch.save({"weights": torch.ones(2)}, file) if content is None else file.write_bytes(content)
    with pytest.raises(ValueError, match="is not a checkpoint"):
        quick(checkpoint=file).fit(rows)
    assert file.exists()


@pytest.mark.parametrize(
    ("parameters", "error", "match"),
    [
        ({"checkpoint": 3}, TypeError, "checkpoint must be the path"),
        ({"checkpoint": "/nowhere/at/all"}, ValueError, "does not exist"),
        ({"checkpoint": "."}, ValueError, "is a folder"),
        ({"checkpoint_every": 0}, ValueError, "checkpoint_every"),
        ({"checkpoint_every": 1.5}, TypeError, "checkpoint_every"),
    ],
)
@pytest.mark.parametrize("estimator", [EmbeddingOptimizer("isoscore"), SphereDispersion()])
def test_paths_and_numbers_of_no_use_are_refused(rows, estimator, parameters, error, match):
    with pytest.raises(error, match=match):
        copy.deepcopy(estimator).set_params(**parameters).fit(rows)


def test_a_full_disk_ends_no_fit(rows, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("torch.save", full)
    with pytest.warns(RuntimeWarning, match="could not be written") as caught:
        optimizer = quick(checkpoint=tmp_path / "fit.ckpt", checkpoint_every=2).fit(rows)
    assert len(caught) == 1
    assert optimizer.n_iter_ == 9
    assert list(tmp_path.iterdir()) == []


# The best state


@pytest.mark.parametrize("kind", [MemoryError, KeyboardInterrupt])
def test_a_copy_of_the_best_state_that_is_cut_off_keeps_that_state(rows, kind, monkeypatch):
    from skgeom.optim import _descent

    copy_all, left = _descent._copy, [4]

    def cut_off(sources, targets):
        left[0] -= 1
        if left[0]:
            return copy_all(sources, targets)
        copy_all(sources[:1], targets[:1])
        raise kind

    monkeypatch.setattr(_descent, "_copy", cut_off)
    optimizer = quick({"cross_entropy": 1.0, to_one: 1.0}, random_state=0)
    how = pytest.warns(ConvergenceWarning, match="interrupted") if kind is KeyboardInterrupt else pytest.raises(kind)
    with how:
        optimizer.fit(rows, np.arange(20) % 2)
    assert left[0] == 0
    monkeypatch.undo()
    whole = quick({"cross_entropy": 1.0, to_one: 1.0}, random_state=0, max_iter=3).fit(rows, np.arange(20) % 2)
    for name in ("embedding_", "coef_", "loss_", "n_iter_"):
        np.testing.assert_array_equal(getattr(optimizer, name), getattr(whole, name), err_msg=name)


def test_the_memory_of_the_best_state_is_taken_once(rows):
    from skgeom.optim._descent import Best

    p = torch.tensor(rows)
    best = Best([p], max_iter=1)
    place = best.state()[2][0].data_ptr()
    for i, loss in enumerate([3.0, 2.0, 1.0]):
        best.see(i, loss)
    p.fill_(7.0)
    best.restore()
    assert best.state()[2][0].data_ptr() == place
    np.testing.assert_array_equal(p, rows)


# The modes of Torch


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", torch.bfloat16)])
@pytest.mark.parametrize("parametrization", ["points", "linear"])
def test_a_fit_does_not_depend_on_the_modes_around_it(rows, mode, parametrization):
    parameters = {"objective": {"cross_entropy": 1.0, "uniformity": 0.1}, "parametrization": parametrization}
    y = torch.arange(20) % 2
    outside = quick(**parameters, random_state=0).fit(torch.tensor(rows), y)
    with mode():
        inside = quick(**parameters, random_state=0).fit(torch.tensor(rows), y)
        spread = SphereDispersion(max_iter=5, random_state=0).fit(torch.tensor(rows))
    assert outside.loss_ == inside.loss_ < outside.history_.loss[0]
    assert spread.min_angle_ == SphereDispersion(max_iter=5, random_state=0).fit(torch.tensor(rows)).min_angle_


def test_attributes_carry_no_graph(rows):
    x = torch.tensor(rows, requires_grad=True)
    for estimator in (quick(), quick(parametrization="linear"), SphereDispersion(max_iter=3)):
        fitted = estimator.fit(x)
        assert not any(getattr(value, "requires_grad", False) for value in vars(fitted).values())
    assert x.grad is None


# Equal rows


def test_equal_rows_that_others_pull_apart_part(rows):
    X = np.concatenate([rows, rows[:1]])
    optimizer = quick("koleo").fit(X)
    assert np.isinf(optimizer.history_.loss[0])
    assert np.isfinite(optimizer.loss_)
    assert optimizer.n_iter_ == 9
    pulled = quick({"koleo": 1.0, "cross_entropy": 1.0}, random_state=0).fit(X, np.arange(21) % 2)
    assert np.isfinite(pulled.loss_)


def test_equal_rows_that_nothing_parts_stop_no_koleo_and_are_named(rows):
    with pytest.warns(ConvergenceWarning, match="The loss is infinite after 9 updates"):
        optimizer = quick("koleo").fit(np.repeat(rows, 2, axis=0))
    assert optimizer.n_iter_ == 9
    assert np.isfinite(optimizer.embedding_).all()


def test_equal_rows_in_some_batches_stop_nothing(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        optimizer = quick("koleo", batch_size=5, max_iter=40, random_state=0).fit(np.repeat(rows[:8], 2, axis=0))
    assert optimizer.n_iter_ == 40
    assert np.isinf(optimizer.history_.loss).any()
    assert np.isfinite(optimizer.history_.loss).any()


def test_equal_points_are_parted_by_dispersion(rows):
    spread = SphereDispersion("koleo", max_iter=50, polish=False, random_state=0).fit(np.repeat(rows[:6], 2, axis=0))
    assert np.isfinite(spread.loss_)
    assert spread.min_angle_ > 0.3


def test_a_last_batch_of_one_pair_is_left_out(rows):
    optimizer = quick("clip_loss", batch_size=19, max_iter=3, random_state=0).fit(rows, rows + 1.0)
    assert optimizer.n_iter_ == 3
