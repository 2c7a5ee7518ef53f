"""Measures inside the loops of others: autocast, modes without gradients, halves, temperatures that are learnt."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose

import skgeom.metrics as metrics
from skgeom._array import _reduced_products, detached, in_full_precision
from skgeom._cloud import Cloud
from skgeom.metrics._measure import MEASURES
from skgeom.preprocessing import Whitening

torch = pytest.importorskip("torch")

every_measure = pytest.mark.parametrize("name", MEASURES)
HALVES = [torch.bfloat16, torch.float16]
BOUND = 1e-5


def rows(seed, dtype=torch.float32):
    """Return rows that every precision holds exactly."""
    return torch.tensor(default_rng(seed).integers(-12, 13, size=(30, 4)) / 4, dtype=dtype) + 0.125


def value_of(name, x, wrap=lambda x: x):
    row = MEASURES[name]
    y = rows(1, x.dtype)
    given = row.besides(labels=np.arange(30) % 3, partners=y, start=y)
    return row(wrap(x), *given, **({"random_state": torch.Generator().manual_seed(0)} if row.is_random else {}))


def value_and_gradient(name, x, around, wrap=lambda x: x):
    """Return both, the gradient taken outside of what is around the value."""
    x = x.clone().requires_grad_(MEASURES[name].differentiable)
    with around:
        value = value_of(name, x, wrap)
    if not MEASURES[name].differentiable:
        return value.item(), torch.zeros(1)
    value.backward()
    return value.item(), x.grad.float()


def error(found, expected):
    """Return the largest error of a value and of a gradient, relative to the largest entry."""
    (value, gradient), (v, g) = found, expected
    scale = max(g.abs().max().item(), 1e-30)
    return max(abs(value - v) / max(abs(v), 1.0), (gradient - g).abs().max().item() / scale)


@every_measure
@pytest.mark.parametrize("wrap", [lambda x: x, Cloud], ids=["rows", "cloud"])
@pytest.mark.parametrize("dtype", HALVES)
def test_inside_autocast_value_and_gradient_are_those_outside(name, dtype, wrap):
    expected = value_and_gradient(name, rows(0), torch.enable_grad())
    found = value_and_gradient(name, rows(0), torch.autocast("cpu", dtype=dtype), wrap)
    assert error(found, expected) <= BOUND


@pytest.mark.parametrize("name", [name for name, row in MEASURES.items() if row.differentiable])
def test_second_derivatives_are_those_of_finite_differences_or_refused(name):
    x, v = (torch.tensor(default_rng(seed).normal(size=(30, 4))) for seed in (7, 8))

    def gradient(z, **options):
        z = z.clone().requires_grad_()
        return z, torch.autograd.grad(value_of(name, z), z, **options)[0]

    try:
        z, first = gradient(x, create_graph=True)
    except RuntimeError as error:
        if "first derivatives only" not in str(error):
            raise
        return
    (found,) = torch.autograd.grad((first * v).sum(), z)
    expected = (gradient(x + 1e-6 * v)[1] - gradient(x - 1e-6 * v)[1]) / 2e-6
    assert_allclose(found, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


@pytest.mark.filterwarnings("ignore")  # the compiler of Torch warns about itself
@pytest.mark.parametrize("name", ["uniformity", "isoscore", "conformity"])
def test_inside_compiled_code_an_excluded_measure_has_the_same_value_and_gradient(name):
    found, expected = rows(0).requires_grad_(), rows(0).requires_grad_()
    excluded = torch.compiler.disable(MEASURES[name])
    value = torch.compile(lambda z: 2 * excluded(z.tanh()), backend="eager")(found)
    outside = 2 * MEASURES[name](expected.tanh())
    value.backward()
    outside.backward()
    assert value.item() == outside.item()
    assert torch.equal(found.grad, expected.grad)


@every_measure
@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("around", [torch.enable_grad, lambda: torch.autocast("cpu", dtype=torch.bfloat16)])
def test_halves_count_as_the_same_rows_in_float32(name, dtype, around):
    value, gradient = value_and_gradient(name, rows(0), torch.enable_grad())
    found = value_and_gradient(name, rows(0, dtype), around())
    assert error(found, (value, gradient.to(dtype).float())) <= BOUND


@every_measure
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_modes_without_gradients_change_no_value(name, mode):
    expected = value_of(name, rows(0)).item()
    with mode():
        inside = value_of(name, rows(0).requires_grad_())
        assert not inside.requires_grad
    assert abs(inside.item() - expected) <= BOUND * max(abs(expected), 1.0)


@pytest.mark.parametrize(
    "question",
    [
        lambda x: metrics.angle_quantiles(x, 0.3),
        lambda x: metrics.conformity_estimate(x)[0],
        lambda x: metrics.isoscore_from_covariance(COVARIANCE),
        lambda x: metrics.k_nearest(x, k=3).distances,
        lambda x: metrics.retrieval_score(x, rows(1)).mean_rank,
        lambda x: metrics.silhouette_samples(x, np.arange(30) % 3),
        lambda x: metrics.silhouette_terms(x, np.arange(30) % 3).separation,
        metrics.variance_explained,
        lambda x: metrics.pair_cosines(x, rows(1), random_state=0).other,
        metrics.coordinate_std,
    ],
)
@pytest.mark.parametrize("dtype", HALVES)
def test_what_is_no_measure_keeps_its_precision_too(question, dtype):
    expected = question(rows(0))
    with torch.autocast("cpu", dtype=dtype):
        assert_allclose(question(rows(0)), expected, rtol=1e-12)
        assert torch.is_autocast_enabled("cpu")


COVARIANCE = rows(0).T @ rows(0)

MATMUL = torch.backends.cuda.matmul
REDUCTIONS = {
    "high": lambda: torch.set_float32_matmul_precision("high"),
    "medium": lambda: torch.set_float32_matmul_precision("medium"),
    "allow_tf32": lambda: setattr(MATMUL, "allow_tf32", True),
}
if hasattr(MATMUL, "fp32_precision"):  # Torch 2.9
    REDUCTIONS["fp32_precision"] = lambda: setattr(MATMUL, "fp32_precision", "tf32")


def product_settings():
    """Return how Torch multiplies float32 on a GPU and on the host."""
    if not hasattr(MATMUL, "fp32_precision"):
        return (torch.get_float32_matmul_precision(),)
    return MATMUL.fp32_precision, torch.backends.mkldnn.matmul.fp32_precision


@pytest.fixture
def full_after():
    yield
    for kind in (MATMUL, torch.backends.mkldnn.matmul) if hasattr(MATMUL, "fp32_precision") else ():
        kind.fp32_precision = "ieee"
    torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("reduce", REDUCTIONS.values(), ids=REDUCTIONS)
def test_float32_is_multiplied_in_float32_inside_and_as_before_outside(reduce, full_after):
    reduce()
    before, seen = product_settings(), []

    @in_full_precision
    def inner():
        seen.append(product_settings())

    @in_full_precision
    def outer():
        inner()
        seen.append(product_settings())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        outer()
    assert product_settings() == before
    assert not {*seen[0], *seen[1]} & {"tf32", "bf16", "high", "medium"}


def test_before_torch_2_9_the_precision_has_one_name():
    said = []
    old = SimpleNamespace(
        backends=SimpleNamespace(cuda=SimpleNamespace(matmul=SimpleNamespace()), mkldnn=SimpleNamespace()),
        get_float32_matmul_precision=lambda: "medium",
        set_float32_matmul_precision=said.append,
    )
    ((tell, now, full),) = _reduced_products(old)
    tell(full)
    tell(now)
    assert said == ["highest", "medium"]
    old.get_float32_matmul_precision = lambda: "highest"
    assert not _reduced_products(old)


def test_of_two_threads_the_last_one_allows_tf32_again(full_after):
    REDUCTIONS["high"]()
    before, first, second = product_settings(), Event(), Event()

    @in_full_precision
    def outlived():
        first.set()
        assert second.wait(60)
        return product_settings()

    @in_full_precision
    def short():
        assert first.wait(60)

    with ThreadPoolExecutor(2) as pool:
        longer = pool.submit(outlived)
        pool.submit(short).result()
        second.set()
        assert "tf32" not in longer.result()
        assert "high" not in longer.result()
    assert product_settings() == before


@pytest.mark.parametrize("question", [lambda x: metrics.k_nearest(x, k=3), metrics.isoscore, Whitening().fit])
def test_neighbours_and_moments_are_computed_without_tf32(question, monkeypatch, full_after):
    """The products that bounds in float32 speak of: whatever multiplies matrices finds TF32 off."""
    REDUCTIONS["high"]()
    seen, product = [], torch.Tensor.__matmul__

    def watched(self, other):
        seen.extend(product_settings())
        return product(self, other)

    monkeypatch.setattr("skgeom.metrics._neighbours.as_data", detached)  # as on a GPU: no view of NumPy
    monkeypatch.setattr(torch.Tensor, "__matmul__", watched)
    question(rows(0))
    assert seen
    assert not {*seen} & {"tf32", "bf16", "high", "medium"}


# The contrastive loss


def softmax_form(x, y, temperature, labels):
    """Return the supervised contrastive loss of two clouds, term by term."""
    u, v = (z / z.norm(dim=1, keepdim=True) for z in (x, y))
    logits = u @ v.T / temperature
    total = 0.0
    for i in range(len(labels)):
        own = [p for p in range(len(labels)) if labels[p] == labels[i]]
        for p in own:
            total = total - logits[i].log_softmax(0)[p] / len(own) - logits[:, i].log_softmax(0)[p] / len(own)
    return total / (2 * len(labels))


LABELS = default_rng(3).choice(["cat", "dog", "fox", "emu"], size=30)


@pytest.mark.parametrize("labels", [LABELS, np.zeros(30, dtype=int), np.arange(30)], ids=["some", "one", "all"])
def test_several_positives_are_the_mean_of_their_log_softmax(labels):
    x, y = rows(0, torch.float64).requires_grad_(), rows(1, torch.float64).requires_grad_()
    found = metrics.clip_loss(x, y, temperature=0.2, labels=labels)
    expected = softmax_form(x, y, 0.2, labels)
    assert_allclose(found.item(), expected.item(), rtol=1e-12)
    for ours, theirs in zip(torch.autograd.grad(found, [x, y]), torch.autograd.grad(expected, [x, y]), strict=True):
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-13)
    assert_allclose(
        metrics.clip_loss(x.detach().numpy(), y.detach().numpy(), temperature=0.2, labels=labels), found.item()
    )


def test_one_class_for_each_pair_is_the_plain_loss():
    x, y = rows(0), rows(1)
    assert metrics.clip_loss(x, y, labels=np.arange(30)).item() == pytest.approx(
        metrics.clip_loss(x, y).item(), rel=1e-6
    )


@pytest.mark.parametrize("labels", [None, LABELS], ids=["pairs", "classes"])
def test_gradients_are_those_of_finite_differences(labels):
    def f(x, y, t):
        return metrics.clip_loss(x, y, temperature=t, labels=labels)

    given = rows(0, torch.float64), rows(1, torch.float64), torch.tensor(0.3, dtype=torch.float64)
    given = [one.requires_grad_() for one in given]
    gradients = torch.autograd.grad(f(*given), given)
    rng = default_rng(4)
    for k, gradient in enumerate(gradients):
        step = 1e-5 * torch.tensor(rng.normal(size=given[k].shape))
        up, down = ([one.detach() + (sign * step if i == k else 0) for i, one in enumerate(given)] for sign in (1, -1))
        assert (gradient * step).sum().item() == pytest.approx((f(*up) - f(*down)).item() / 2, rel=1e-6)


@pytest.mark.parametrize("shape", [(), (1,)])
def test_a_temperature_is_learnt(shape):
    temperature = torch.nn.Parameter(torch.full(shape, 1.0))
    optimizer = torch.optim.SGD([temperature], lr=0.01)
    x = rows(0)
    before = metrics.clip_loss(x, x, temperature=temperature).item()
    for _ in range(20):
        optimizer.zero_grad()
        metrics.clip_loss(x, x, temperature=temperature).backward()
        optimizer.step()
    assert metrics.clip_loss(x, x, temperature=temperature).item() < before


@pytest.mark.parametrize(
    ("temperature", "error_type", "match"),
    [
        (torch.tensor(0.0), ValueError, "temperature must be a finite number from 1e-30"),
        (torch.tensor(float("nan")), ValueError, "temperature must be a finite number"),
        (torch.ones(2), TypeError, "one entry"),
        (np.ones(1), TypeError, "temperature must be a number"),
        ("warm", TypeError, "temperature must be a number"),
    ],
)
def test_temperatures_that_are_none_are_refused(temperature, error_type, match):
    with pytest.raises(error_type, match=match):
        metrics.clip_loss(rows(0), rows(1), temperature=temperature)


def test_a_tensor_as_temperature_of_numpy_rows_is_refused():
    with pytest.raises(TypeError, match="of the library of X"):
        metrics.clip_loss(np.eye(3), np.eye(3), temperature=torch.tensor(0.1))


def test_one_pair_has_nothing_to_be_told_from():
    with pytest.raises(ValueError, match="a minimum of 2 is required"):
        metrics.clip_loss(rows(0)[:1], rows(1)[:1])
