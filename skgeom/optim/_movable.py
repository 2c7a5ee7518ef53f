"""The parameters of an optimisation: the rows themselves, or a linear map of them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from skgeom._array import gpu_index, is_foreign, no_gpu, to_numpy
from skgeom.optim._constraint import on_spheres


class Movable(Protocol):
    """The rows of an embedding as a function of tensors that change."""

    parameter: Tensor

    def rows(self, index: Tensor | None) -> Tensor:
        """Return the rows at some positions, or all."""


class Points:
    """Rows that move by themselves."""

    def __init__(self, start: Tensor) -> None:
        self.parameter = start.clone().requires_grad_()

    def rows(self, index: Tensor | None) -> Tensor:
        """Return the rows at some positions, or all."""
        return self.parameter if index is None else self.parameter.index_select(0, index)


class LinearMap:
    """Rows x W, scaled to the required norms, if any."""

    def __init__(self, x: Tensor, w: Tensor, radius: Tensor | None) -> None:
        self.x = x
        self.radius = radius
        self.parameter = w.clone().requires_grad_()

    def rows(self, index: Tensor | None) -> Tensor:
        """Return the mapped rows at some positions, or all."""
        x, radius = self.x, self.radius
        if index is not None:
            x, radius = x.index_select(0, index), None if radius is None else radius.index_select(0, index)
        z = x @ self.parameter
        return z if radius is None else on_spheres(z, radius)


def as_tensor(x: Any, device: str | None) -> Tensor:
    """Return an array as a tensor: on its device for Torch and CuPy, from the host for other libraries."""
    if isinstance(x, Tensor):
        return x.clone() if x.is_inference() else x.detach()
    if hasattr(x, "__cuda_array_interface__"):
        return torch.as_tensor(x, device="cuda")
    return torch.tensor(to_numpy(x) if is_foreign(x) else x, device=_device(device))


def host_copy(x: Tensor) -> np.ndarray:
    """Return a tensor as an array of its own."""
    return to_numpy(x).copy()


def _device(name: str | None) -> torch.device:
    if name in (None, "cpu") or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise no_gpu(name, "Torch")
    gpu_index(str(name), torch.cuda.device_count(), "Torch")
    return torch.device("cuda" if name == "auto" else str(name))
