"""The heads of EmbeddingOptimizer: prototypes and modules of the user, against plain loops of Torch."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from skgeom.optim import EmbeddingOptimizer  # noqa: E402


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:120] / 16, y[:120] % 3


def quick(**parameters):
    return EmbeddingOptimizer(
        **{"parametrization": "points", "max_iter": 8, "learning_rate": 0.01, "random_state": 0, **parameters}
    )


def perceptron(n_features, n_outputs):
    return nn.Sequential(nn.Linear(n_features, 16), nn.ReLU(), nn.Linear(16, n_outputs))


class Scaled(nn.Module):
    """A head whose class is passed itself."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.inner = nn.Linear(n_features, n_outputs)

    def forward(self, rows):
        return 3 * self.inner(rows)


def with_random_layers(n_features, n_outputs):
    return nn.Sequential(nn.Linear(n_features, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, n_outputs))


def means(X, y):
    return np.stack([X[y == c].mean(axis=0) for c in np.unique(y)])


def adam(tensors, loss, n_updates):
    optimizer = torch.optim.Adam(tensors, lr=0.01)
    for _ in range(n_updates):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


@pytest.mark.parametrize(("parametrization", "offset"), [("points", 0.0), ("points", 1e3), ("linear", 0.0)])
def test_prototypes_are_those_of_a_plain_loop_over_squared_distances(digits, parametrization, offset):
    X, y = digits[0] + offset, torch.tensor(digits[1])
    start = torch.tensor(X)
    moved = start.clone() if parametrization == "points" else torch.eye(64, dtype=torch.float64)
    prototypes = torch.tensor(means(X, digits[1]))
    tensors = [moved.requires_grad_(), prototypes.requires_grad_()]

    def loss():
        z = moved if parametrization == "points" else start @ moved
        return nn.functional.cross_entropy(-((z[:, None, :] - prototypes) ** 2).sum(dim=2), y)

    adam(tensors, loss, 8)
    optimizer = quick(head="distance", parametrization=parametrization, monitor=None).fit(X, digits[1])
    found = optimizer.embedding_ if parametrization == "points" else optimizer.map_
    np.testing.assert_allclose(found, moved.detach(), rtol=0, atol=1e-9 * (1 + offset))
    np.testing.assert_allclose(optimizer.prototypes_, prototypes.detach(), rtol=0, atol=1e-9 * (1 + offset))
    assert optimizer.loss_ == pytest.approx(loss().item(), abs=1e-9 * (1 + offset) ** 2)
    assert not hasattr(optimizer, "coef_")


def test_prototypes_of_pairs_start_at_the_means_of_both_sides(digits):
    X, _ = digits
    pairs = np.random.default_rng(0).integers(120, size=(90, 2))
    y = np.arange(90) % 2
    joint = np.hstack([X[pairs[:, 0]], X[pairs[:, 1]]])
    still = quick(head="distance", optimizer="sgd", learning_rate=1e-12, batch_size=30).fit(X, y, pairs=pairs)
    np.testing.assert_allclose(still.prototypes_, means(joint, y), atol=1e-9)
    assert quick(head="distance", max_iter=40).fit(X, y, pairs=pairs).history_["silhouette"][-1] > 0.05


def test_a_module_is_trained_as_in_a_plain_loop(digits):
    X, y = digits
    made = []

    def head(n_features, n_outputs):
        made.append(perceptron(n_features, n_outputs).double())
        made.append([p.detach().clone() for p in made[0].parameters()])
        return made[0]

    optimizer = quick(head=head, monitor=None).fit(X, y)
    module, z = perceptron(64, 3).double(), torch.tensor(X, requires_grad=True)
    with torch.no_grad():
        for p, start in zip(module.parameters(), made[1], strict=True):
            p.copy_(start)
    loss = lambda: nn.functional.cross_entropy(module(z), torch.tensor(y))
    adam([z, *module.parameters()], loss, 8)
    np.testing.assert_allclose(optimizer.embedding_, z.detach(), atol=1e-10)
    assert optimizer.loss_ == pytest.approx(loss().item(), abs=1e-10)
    outputs = optimizer.head_(torch.tensor(optimizer.embedding_))
    assert nn.functional.cross_entropy(outputs, torch.tensor(y)).item() == pytest.approx(optimizer.loss_, abs=1e-12)
    assert not optimizer.head_.training


def test_random_layers_follow_the_seed_and_leave_the_global_generator_alone(digits):
    state = torch.random.get_rng_state()
    fits = [quick(head=with_random_layers, batch_size=50, random_state=seed).fit(*digits) for seed in (0, 0, 1)]
    assert torch.equal(torch.random.get_rng_state(), state)
    np.testing.assert_array_equal(fits[0].embedding_, fits[1].embedding_)
    assert (fits[0].embedding_ != fits[2].embedding_).any()
    assert fits[0].embedding_.dtype == np.float64


class Slow(nn.Module):
    """A head that lets other threads run between two draws."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.inner = nn.Linear(n_features, n_outputs)

    def forward(self, rows):
        kept = torch.rand_like(rows) > 0.5
        sleep(0.001)
        return self.inner(torch.where(kept, rows, torch.rand_like(rows)))


def test_fits_in_several_threads_draw_each_from_its_own_generator(digits):
    state = torch.random.get_rng_state()
    optimizers = [quick(head=Slow, batch_size=50, monitor=None, random_state=seed) for seed in (0, 1, 0, 1)]
    alone = [clone(optimizer).fit(*digits).embedding_ for optimizer in optimizers[:2]]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda optimizer: optimizer.fit(*digits).embedding_, optimizers))
    for i, embedding in enumerate(found):
        np.testing.assert_array_equal(embedding, alone[i % 2])
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("head", ["distance", perceptron, with_random_layers])
@pytest.mark.parametrize("parametrization", ["points", "linear"])
def test_a_fit_that_goes_on_from_a_checkpoint_equals_an_unbroken_one(digits, head, parametrization, tmp_path):
    def fit(monitor, **parameters):
        return quick(
            head=head, parametrization=parametrization, batch_size=50, max_iter=30, monitor=monitor, **parameters
        )

    def stop_at_17(embedding):
        calls.append(1)
        if len(calls) == 18:
            raise SystemExit
        return 0.0

    calls = []
    job = fit(stop_at_17, checkpoint=tmp_path / "fit", checkpoint_every=5)
    with pytest.raises(SystemExit):
        job.fit(*digits)
    job.fit(*digits)
    whole = fit(None).fit(*digits)
    assert job.loss_ == whole.loss_
    if head == "distance":
        np.testing.assert_array_equal(job.prototypes_, whole.prototypes_)
    else:
        found, expected = job.head_.state_dict(), whole.head_.state_dict()
        assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("head", ["distance", perceptron])
def test_a_warm_start_goes_on_from_the_head(digits, head):
    X, y = digits
    optimizer = quick(head=head, warm_start=True, monitor=None).fit(X, y)
    first = optimizer.loss_
    assert optimizer.fit(X, y).history_.loss[0] == pytest.approx(first, rel=1e-12)
    with pytest.raises(ValueError, match=r"warm_start=True continues from (prototypes_|head_)"):
        optimizer.fit(X, np.arange(120) % 4)


def test_optimisers_with_a_head_are_cloned_and_pickled(digits):
    for head in ("distance", perceptron, Scaled):
        optimizer = quick(head=head).fit(*digits)
        assert optimizer.get_params()["head"] is head
        np.testing.assert_array_equal(clone(optimizer).fit(*digits).embedding_, optimizer.embedding_)
        assert pickle.loads(pickle.dumps(optimizer)).loss_ == optimizer.loss_


@pytest.mark.parametrize(
    ("parameters", "y", "error", "match"),
    [
        ({"head": "nearest"}, None, ValueError, "head must be one of 'linear', 'distance'"),
        ({"head": 3}, None, TypeError, "head must be 'linear'"),
        ({"head": nn.Linear(64, 3)}, None, TypeError, "head must be 'linear'"),
        ({"head": lambda n_features, n_outputs: None}, None, TypeError, "returns a torch.nn.Module, got None"),
        (
            {"head": lambda n_features, n_outputs: nn.Linear(64, 7)},
            None,
            ValueError,
            r"\(120, 3\), got \(120, 7",
        ),
        ({"head": "distance", "fit_intercept": False}, None, ValueError, "fit_intercept=False is for the linear head"),
        ({"head": "distance", "objective": "isoscore"}, None, ValueError, "the objective has neither"),
        ({"head": perceptron, "objective": {"silhouette_objective": 1e-9}}, None, ValueError, "has neither"),
        (
            {"head": "distance", "objective": "binary_cross_entropy"},
            np.eye(3)[np.arange(120) % 3],
            ValueError,
            "compares the distances",
        ),
    ],
)
def test_heads_of_no_use_are_refused(digits, parameters, y, error, match):
    with pytest.raises(error, match=match):
        quick(**parameters).fit(digits[0], digits[1] if y is None else y)
