"""Optimisers on spheres: rows move along great circles and keep their norms."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import pi
from typing import Any, NamedTuple

import torch
from torch import Tensor

from skgeom._validation import check_positive, check_real
from skgeom.optim._checks import check_pair, check_sphere_rows

_LARGEST_SHARE = 1 - 2.0**-32
"""Moments must fade: shares of the past are below 1."""


class _Rows(NamedTuple):
    """The rows of a parameter that have a gradient: positions, unit rows, radii, and tangent gradients."""

    which: Tensor | slice
    u: Tensor
    radius: Tensor
    gradient: Tensor


class _SphereOptimizer(torch.optim.Optimizer):
    """Base of optimisers of rows on spheres: the radius of each row, found at construction, is part of the state."""

    def __init__(self, params: Iterable[Any], options: dict[str, Any]) -> None:
        self._check_options(options)
        super().__init__(params, options)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters, whose rows keep the norms they have now.

        Parameters
        ----------
        param_group : dict
            ``"params"``, a tensor (n, d) or several, and options that differ from those of the optimiser.
        """
        self._check_options({**self.defaults, **param_group})
        super().add_param_group(param_group)
        params = self.param_groups[-1]["params"]
        try:
            radii = [check_sphere_rows(p.detach())[:, None] for p in params]
        except (TypeError, ValueError):
            self.param_groups.pop()
            raise
        for p, radius in zip(params, radii, strict=True):
            self.state[p] = {"radius": radius, "moment": torch.zeros_like(p), **self._more_state(radius)}

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move the rows once.

        Parameters
        ----------
        closure : callable, default=None
            Computes the loss and its gradient again, and returns the loss.

        Returns
        -------
        object
            The result of the closure, or None.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._move(p, p.grad, group)
        return loss

    def _move(self, p: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        rows = _rows_with_gradient(p, gradient, state["radius"])
        m, velocity = self._velocity(rows, state, group)
        p[rows.which], state["moment"][rows.which] = _along_great_circles(rows, -group["lr"] * velocity, m)

    def _check_options(self, options: dict[str, Any]) -> None:
        """Check the options of a group."""
        raise NotImplementedError

    def _more_state(self, radius: Tensor) -> dict[str, Tensor]:
        """Return the state of each row besides its radius and first moment."""
        return {}

    def _velocity(self, rows: _Rows, state: dict[str, Tensor], group: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Return the first moments of the rows, and the tangent vectors opposite to their movement."""
        raise NotImplementedError


class RiemannianSGD(_SphereOptimizer):
    r"""Gradient descent of rows on spheres, with momentum.

    Each row x of a parameter stays on the sphere of the radius r it has at construction. With g its gradient and
    :math:`u = x / r`,

    .. math:: m \leftarrow \mu\, m + (g - \langle g, u \rangle u), \qquad x \leftarrow \exp_x(-\eta\, m),
              \qquad m \leftarrow \text{m carried along in parallel,}

    where the exponential map follows the great circle: :math:`\exp_x(v) = \cos(\lVert v \rVert / r)\, x +
    \sin(\lVert v \rVert / r)\, r v / \lVert v \rVert`.

    Parameters
    ----------
    params : iterable of tensors or of dicts
        Tensors (n, d) of float32 or float64 without zero rows, or groups of them.
    lr : float, default=1e-3
        η, the learning rate.
    momentum : float, default=0.0
        μ, in [0, 1).

    Raises
    ------
    TypeError
        If a parameter is not of float32 or float64, or an option is of the wrong kind.
    ValueError
        If a parameter is not a finite matrix, a row is zero, or an option is out of range.

    See Also
    --------
    RiemannianAdam : Steps of a size that does not depend on that of the gradient.

    Notes
    -----
    A row whose gradient is zero, such as one outside the batch, stays as it is, and so does its moment. Norms are kept
    up to rounding for any number of steps. O(n d) time and memory for each step. Sparse gradients, as of
    ``torch.nn.Embedding(sparse=True)``, move the rows they hold, with the same result.

    References
    ----------
    Bonnabel 2013, Stochastic gradient descent on Riemannian manifolds, doi:10.1109/TAC.2013.2254619.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import RiemannianSGD
    >>> x = torch.tensor([[2.0, 0.0]], requires_grad=True)
    >>> optimizer = RiemannianSGD([x], lr=0.1)
    >>> for _ in range(200):
    ...     optimizer.zero_grad()
    ...     (-x[:, 1].sum()).backward()
    ...     optimizer.step()
    >>> [round(value, 3) for value in x[0].tolist()]
    [0.0, 2.0]
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, momentum: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    def _check_options(self, options: dict[str, Any]) -> None:
        check_positive(options["lr"], "lr")
        check_real(options["momentum"], "momentum", 0, _LARGEST_SHARE)

    def _velocity(self, rows: _Rows, state: dict[str, Tensor], group: dict[str, Any]) -> tuple[Tensor, Tensor]:
        m = group["momentum"] * state["moment"][rows.which] + rows.gradient
        return m, m


class RiemannianAdam(_SphereOptimizer):
    r"""Adam of rows on spheres.

    Each row x of a parameter stays on the sphere of the radius r it has at construction, and has its own Adam, which
    counts its steps t. With g its gradient and :math:`u = x / r`,

    .. math:: g &\leftarrow g - \langle g, u \rangle u, \\
              m &\leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad
              v \leftarrow \beta_2 v + (1 - \beta_2) \lVert g \rVert^2, \\
              x &\leftarrow \exp_x\Bigl(-\eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}\Bigr),
              \qquad m \leftarrow \text{m carried along in parallel.}

    The second moment v is one number per row [1]_: entry by entry, as in Adam, it would depend on the coordinates
    and turn the step away from the gradient. `RiemannianSGD` defines the exponential map.

    Parameters
    ----------
    params : iterable of tensors or of dicts
        Tensors (n, d) of float32 or float64 without zero rows, or groups of them.
    lr : float, default=1e-3
        η, the learning rate: about the distance that a row moves in a step while its gradients agree.
    betas : tuple of two floats, default=(0.9, 0.999)
        β₁ and β₂, in [0, 1).
    eps : float, default=1e-8
        ε, at least 0, in units of the gradient.

    Raises
    ------
    TypeError
        If a parameter is not of float32 or float64, or an option is of the wrong kind.
    ValueError
        If a parameter is not a finite matrix, a row is zero, or an option is out of range.

    See Also
    --------
    SphereDispersion : Spread points with it.

    Notes
    -----
    Equivariant to rotation of the rows; with ε = 0, steps do not depend on the scale of the loss. A row whose gradient
    is zero, such as one outside the batch, stays as it is, and so do its moments. Norms are kept up to rounding for any
    number of steps. O(n d) time and memory for each step. Sparse gradients, as of ``torch.nn.Embedding(sparse=True)``,
    move the rows they hold, with the same result.

    References
    ----------
    .. [1] Bécigneul & Ganea 2019, Riemannian adaptive optimization methods, arXiv:1810.00760.

    Examples
    --------
    >>> import torch
    >>> from skgeom.metrics import riesz_energy
    >>> from skgeom.optim import RiemannianAdam
    >>> x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> x = (x / x.norm(dim=1, keepdim=True)).requires_grad_()
    >>> optimizer = RiemannianAdam([x], lr=0.02)
    >>> for _ in range(500):
    ...     optimizer.zero_grad()
    ...     riesz_energy(x).backward()
    ...     optimizer.step()
    >>> round((x @ x.T)[0, 1].item(), 3)
    -0.333
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    def _check_options(self, options: dict[str, Any]) -> None:
        check_positive(options["lr"], "lr")
        for beta in check_pair(options["betas"], "betas", "(β₁, β₂)"):
            check_real(beta, "betas", 0, _LARGEST_SHARE)
        check_real(options["eps"], "eps", 0)

    def _more_state(self, radius: Tensor) -> dict[str, Tensor]:
        return {"square": torch.zeros_like(radius), "count": torch.zeros_like(radius)}

    def _velocity(self, rows: _Rows, state: dict[str, Tensor], group: dict[str, Any]) -> tuple[Tensor, Tensor]:
        i, (beta1, beta2) = rows.which, group["betas"]
        count = state["count"][i] + 1
        m = torch.lerp(rows.gradient, state["moment"][i], beta1)
        v = torch.lerp((rows.gradient**2).sum(1, keepdim=True), state["square"][i], beta2)
        state["count"][i], state["square"][i] = count, v
        size = (v / (1 - beta2**count)).sqrt() + group["eps"]
        still = size == 0
        return m, m / ((1 - beta1**count) * size.masked_fill(still, 1.0))


def _rows_with_gradient(p: Tensor, gradient: Tensor, radius: Tensor) -> _Rows:
    if gradient.is_sparse:
        gradient = gradient.coalesce()
        places = gradient.indices()[0]
        which, found = _moving(gradient.values())
        which = places[which]
    else:
        which, found = _moving(gradient)
    r = radius[which]
    u = p[which] / r
    return _Rows(which, u, r, _tangent(u, found))


def _moving(gradient: Tensor) -> tuple[Tensor | slice, Tensor]:
    """Return which rows of a gradient are not zero, and these rows."""
    moving = gradient.ne(0).any(1)
    which: Tensor | slice = slice(None) if bool(moving.all()) else moving.nonzero()[:, 0]
    return which, gradient[which]


def _tangent(u: Tensor, v: Tensor) -> Tensor:
    """Return the part of each vector that is tangent to the sphere at a unit row u."""
    return v - (u * v).sum(1, keepdim=True) * u


def _along_great_circles(rows: _Rows, v: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    """Return where the exponential map takes the rows along tangent vectors v, and m carried there in parallel."""
    v = v / rows.radius
    theta = v.norm(dim=1, keepdim=True)
    y = torch.cos(theta) * rows.u + torch.sinc(theta / pi) * v
    y = y / y.norm(dim=1, keepdim=True)
    way = v / theta.clamp_min(torch.finfo(v.dtype).tiny)
    turned = (torch.cos(theta) - 1) * way - torch.sin(theta) * rows.u
    return rows.radius * y, _tangent(y, m + (m * way).sum(1, keepdim=True) * turned)
