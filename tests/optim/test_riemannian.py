"""Optimisers on spheres: their definition in a loop, what they keep, and what they reach."""

import copy
import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skgeom.optim import RiemannianAdam, RiemannianSGD

RADII = np.array([[0.01], [1.0], [1.0], [3.0], [500.0]])
OPTIMIZERS = [
    pytest.param(RiemannianSGD, {"lr": 0.3}, id="sgd"),
    pytest.param(RiemannianSGD, {"lr": 0.3, "momentum": 0.8}, id="momentum"),
    pytest.param(RiemannianAdam, {"lr": 0.1}, id="adam"),
    pytest.param(RiemannianAdam, {"lr": 0.1, "betas": (0.5, 0.7), "eps": 0.1}, id="adam-eps"),
]


def unit(rng, n, d):
    x = rng.normal(size=(n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def given_gradient(x, optimizer, gradient):
    x.grad = torch.as_tensor(gradient, dtype=x.dtype).clone()
    optimizer.step()


def exp_and_transport(x, v, m):
    """Move one row along a great circle, and carry m: both in the plane of x and v, as rotations."""
    r, length = math.hypot(*x), math.hypot(*v)
    if length == 0:
        return x, m
    u, way, theta = x / r, v / length, length / r
    y = r * (math.cos(theta) * u + math.sin(theta) * way)
    along = m @ way
    return y, m - along * way + along * (math.cos(theta) * way - math.sin(theta) * u)


def in_a_loop(kind, options, x, gradients):
    """Return the rows after each of the gradients, one row at a time, from the formulas."""
    out = []
    for row, of_row in zip(x, np.swapaxes(gradients, 0, 1), strict=True):
        m, v, t = np.zeros_like(row), 0.0, 0
        for gradient in of_row:
            if not gradient.any():
                continue
            t += 1
            u = row / math.hypot(*row)
            g = gradient - (gradient @ u) * u
            if kind is RiemannianSGD:
                m = options.get("momentum", 0.0) * m + g
                velocity = m
            else:
                b1, b2 = options.get("betas", (0.9, 0.999))
                m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * (g @ g)
                velocity = m / (1 - b1**t) / (math.sqrt(v / (1 - b2**t)) + options.get("eps", 1e-8))
            row, m = exp_and_transport(row, -options["lr"] * velocity, m)
        out.append(row)
    return np.array(out)


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-9), (torch.float32, 2e-3)])
@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS)
def test_steps_follow_the_formulas(kind, options, dtype, rtol):
    rng = np.random.default_rng(0)
    start, gradients = RADII[1:4] * unit(rng, 3, 4), rng.normal(size=(12, 3, 4))
    gradients[rng.random((12, 3)) < 0.3] = 0
    x = torch.tensor(start, dtype=dtype, requires_grad=True)
    optimizer = kind([x], **options)
    for gradient in gradients:
        given_gradient(x, optimizer, gradient)
    assert x.dtype == dtype
    assert_allclose(x.detach().numpy(), in_a_loop(kind, options, start, gradients), rtol=rtol, atol=rtol)


@pytest.mark.parametrize(("dtype", "ulps"), [(torch.float64, 4), (torch.float32, 4)])
@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS)
def test_norms_are_kept_to_rounding_after_many_steps(kind, options, dtype, ulps):
    rng = np.random.default_rng(0)
    x = torch.tensor(RADII * unit(rng, 5, 3), dtype=dtype, requires_grad=True)
    before = x.detach().double().norm(dim=1).numpy()
    optimizer = kind([x], **options)
    for _ in range(2000):
        given_gradient(x, optimizer, rng.normal(size=(5, 3)))
    assert_allclose(x.detach().double().norm(dim=1), before, rtol=ulps * torch.finfo(dtype).eps)


@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS)
def test_rows_without_a_gradient_keep_every_bit_and_their_moments(kind, options):
    rng = np.random.default_rng(0)
    x = torch.tensor(3 * unit(rng, 6, 4), dtype=torch.float32, requires_grad=True)
    optimizer = kind([x], **options)
    given_gradient(x, optimizer, rng.normal(size=(6, 4)))
    before, state = x.detach().clone(), copy.deepcopy(optimizer.state[x])
    gradient = rng.normal(size=(6, 4))
    gradient[[1, 4]] = 0
    given_gradient(x, optimizer, gradient)
    assert_array_equal(x.detach()[[1, 4]], before[[1, 4]])
    assert (x.detach()[[0, 2, 3, 5]] != before[[0, 2, 3, 5]]).any(1).all()
    for name, values in optimizer.state[x].items():
        assert_array_equal(values[[1, 4]], state[name][[1, 4]])


@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS)
def test_a_zero_or_missing_gradient_moves_nothing(kind, options):
    x = torch.tensor([[0.1, 0.2], [0.3, -0.4]], requires_grad=True)
    optimizer = kind([x], **options)
    optimizer.step()
    given_gradient(x, optimizer, np.zeros((2, 2)))
    given_gradient(x, kind([x], **{**options, "lr": 1.0}), x.detach().numpy() * [[0.0], [0.0]])
    assert_array_equal(x.detach(), torch.tensor([[0.1, 0.2], [0.3, -0.4]]))


def test_a_purely_radial_gradient_gives_no_nan_even_without_eps():
    x = torch.tensor([[2.0, 0.0]], requires_grad=True)
    given_gradient(x, RiemannianAdam([x], eps=0.0), [[5.0, 0.0]])
    assert_array_equal(x.detach(), [[2.0, 0.0]])


@pytest.mark.parametrize("radius", [0.01, 1.0, 50.0])
@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS)
def test_a_linear_function_has_its_minimum_opposite_to_its_slope(kind, options, radius):
    rng = np.random.default_rng(0)
    slope = rng.normal(size=(4, 3))
    x = torch.tensor(radius * unit(rng, 4, 3), requires_grad=True)
    optimizer = kind([x], **{**options, "lr": 0.1 * radius})
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
    for _ in range(400):
        given_gradient(x, optimizer, slope)
        schedule.step()
    nearest = -slope / np.linalg.norm(slope, axis=1, keepdims=True)
    assert_allclose(x.detach().numpy() / radius, nearest, atol=1e-3)


@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS)
def test_a_restored_state_goes_on_where_it_was(kind, options):
    rng = np.random.default_rng(0)
    start, gradients = 2 * unit(rng, 5, 3), rng.normal(size=(10, 5, 3))
    whole = torch.tensor(start, requires_grad=True)
    optimizer = kind([whole], **options)
    for gradient in gradients:
        given_gradient(whole, optimizer, gradient)
    first = torch.tensor(start, requires_grad=True)
    optimizer = kind([first], **options)
    for gradient in gradients[:4]:
        given_gradient(first, optimizer, gradient)
    second = first.detach().clone().requires_grad_()
    resumed = kind([second], lr=1.0)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for gradient in gradients[4:]:
        given_gradient(second, resumed, gradient)
    assert_array_equal(second.detach(), whole.detach())


@pytest.mark.parametrize("lr", [1e-2, 1e-3])
def test_a_small_step_is_that_of_plain_descent_in_the_tangent_space(lr):
    rng = np.random.default_rng(0)
    start, gradient = unit(rng, 5, 3), rng.normal(size=(5, 3))
    x = torch.tensor(start, requires_grad=True)
    given_gradient(x, RiemannianSGD([x], lr=lr), gradient)
    flat = start - lr * (gradient - (gradient * start).sum(1, keepdims=True) * start)
    assert np.abs(x.detach().numpy() - flat).max() < 10 * lr**2
    assert np.abs(flat - start).max() > 50 * lr**2


@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS)
def test_rotated_rows_take_rotated_steps(kind, options):
    rng = np.random.default_rng(0)
    start, gradients = unit(rng, 5, 4), rng.normal(size=(20, 5, 4)) * [1, 1e-3, 10, 1]
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    ends = []
    for q in (np.eye(4), rotation):
        x = torch.tensor(start @ q, requires_grad=True)
        optimizer = kind([x], **options)
        for gradient in gradients @ q:
            given_gradient(x, optimizer, gradient)
        ends.append(x.detach().numpy())
    assert_allclose(ends[0] @ rotation, ends[1], atol=1e-9)


def test_moments_keep_their_length_and_stay_tangent():
    rng = np.random.default_rng(0)
    start, gradient = 2 * unit(rng, 5, 4), rng.normal(size=(5, 4))
    x = torch.tensor(start, requires_grad=True)
    optimizer = RiemannianSGD([x], lr=0.4, momentum=0.9)
    given_gradient(x, optimizer, gradient)
    moment = optimizer.state[x]["moment"].numpy()
    tangent = gradient - (gradient * start).sum(1, keepdims=True) * start / 4
    assert_allclose(np.linalg.norm(moment, axis=1), np.linalg.norm(tangent, axis=1), rtol=1e-13)
    assert_allclose((moment * x.detach().numpy()).sum(1), 0, atol=1e-13)


def test_groups_have_their_own_options_and_a_closure_is_evaluated():
    slow, fast = (torch.tensor([[1.0, 0.0]], requires_grad=True) for _ in range(2))
    optimizer = RiemannianSGD([{"params": [slow], "lr": 1e-3}, {"params": [fast]}], lr=1e-1)

    def closure():
        optimizer.zero_grad()
        loss = -(slow[:, 1].sum() + fast[:, 1].sum())
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 0
    assert_allclose(slow.detach(), [[math.cos(1e-3), math.sin(1e-3)]], rtol=1e-6)
    assert_allclose(fast.detach(), [[math.cos(1e-1), math.sin(1e-1)]], rtol=1e-6)


def smallest_angle(optimizer, x, *, projects):
    """Minimise the Gaussian kernel of the rows as they are, whose gradient has a part along the rows."""
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1000)
    for _ in range(1000):
        optimizer.zero_grad()
        torch.exp(2 * x @ x.T - 2).triu(1).sum().div(276).backward()
        optimizer.step()
        schedule.step()
        if projects:
            with torch.no_grad():
                x /= x.norm(dim=1, keepdim=True)
    return math.degrees(math.acos(((x @ x.T).detach() - 2 * torch.eye(24)).max().clamp(max=1).item()))


def test_elementwise_adam_with_projection_fails_where_rows_on_spheres_do_not():
    start = unit(np.random.default_rng(0), 24, 3)
    on_spheres, projected = (torch.tensor(start, requires_grad=True) for _ in range(2))
    assert smallest_angle(RiemannianAdam([on_spheres], lr=0.02), on_spheres, projects=False) > 33
    assert smallest_angle(torch.optim.Adam([projected], lr=0.02), projected, projects=True) < 1


@pytest.mark.parametrize("kind", [RiemannianSGD, RiemannianAdam])
@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ([[1.0, 0.0], [0.0, 0.0]], ValueError, "Row 1 of a parameter is zero"),
        ([[1.0, math.nan]], ValueError, "NaN or infinity"),
        ([1.0, 2.0], ValueError, r"shape \(2,\)"),
        (torch.ones(2, 2, dtype=torch.bfloat16), TypeError, "float32 or float64"),
    ],
)
def test_parameters_without_spheres_are_refused(kind, values, error, message):
    with pytest.raises(error, match=message):
        kind([torch.as_tensor(values).requires_grad_()])


@pytest.mark.parametrize(
    ("kind", "options", "name"),
    [
        (RiemannianSGD, {"lr": 0.0}, "lr"),
        (RiemannianSGD, {"momentum": 1.0}, "momentum"),
        (RiemannianAdam, {"lr": math.inf}, "lr"),
        (RiemannianAdam, {"betas": (0.9, 1.0)}, "betas"),
        (RiemannianAdam, {"eps": -1.0}, "eps"),
    ],
)
def test_options_out_of_range_are_refused_also_for_one_group(kind, options, name):
    with pytest.raises(ValueError, match=name):
        kind([torch.ones(1, 2, requires_grad=True)], **options)
    with pytest.raises(ValueError, match=name):
        kind([{"params": [torch.ones(1, 2, requires_grad=True)], **options}])
    with pytest.raises(ValueError, match=name):
        kind([torch.ones(1, 2, requires_grad=True)]).add_param_group(
            {"params": torch.ones(1, 2, requires_grad=True), **options}
        )


@pytest.mark.parametrize(("betas", "got"), [(0.9, "float"), ((0.9,), "1 values"), ((0.9, 0.99, 0.999), "3 values")])
def test_betas_are_two(betas, got):
    with pytest.raises(TypeError, match=rf"betas must be a tuple \(β₁, β₂\), got {got}"):
        RiemannianAdam([torch.ones(1, 2, requires_grad=True)], betas=betas)


@pytest.mark.parametrize("kind", [RiemannianAdam, RiemannianSGD])
def test_a_group_that_is_refused_is_not_added(kind):
    x, zero = torch.ones(2, 2, requires_grad=True), torch.zeros(2, 2, requires_grad=True)
    optimizer = kind([x])
    with pytest.raises(ValueError, match="Row 0 of a parameter is zero"):
        optimizer.add_param_group({"params": [zero]})
    (x[:, 0].sum() + zero.sum()).backward()
    optimizer.step()
    assert [group["params"] for group in optimizer.param_groups] == [[x]]
    assert (x[:, 0] < 1).all()
    assert (zero == 0).all()


@pytest.mark.parametrize("kind", [RiemannianAdam, RiemannianSGD])
def test_sparse_gradients_of_an_embedding_move_the_rows_that_dense_ones_do(kind):
    start = torch.randn(8, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = []
    for sparse in (False, True):
        layer = torch.nn.Embedding.from_pretrained(start.clone(), freeze=False, sparse=sparse)
        optimizer = kind(layer.parameters(), lr=0.1)
        for batch in ([1, 2, 2, 5], [2, 7], [1, 1]):
            optimizer.zero_grad()
            (layer(torch.tensor(batch)) ** 3).sum().backward()
            optimizer.step()
        found.append(layer.weight.detach())
    torch.testing.assert_close(found[0], found[1], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(found[1][[0, 3, 4, 6]], start[[0, 3, 4, 6]], rtol=0, atol=0)
