"""The table of measures: a measure exists when it has a row here.

Scorers, the report, the common tests (bounds, invariances, agreement of backends) and the table in the documentation
all read it. A row names the summary its kernel needs, so that many measures of one cloud share each summary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from math import inf, log, pi
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from skgeom._array import as_data, asarray_like, namespace
from skgeom._core import _rows
from skgeom._core._labels import Labels
from skgeom._core._rows import DirectedRows
from skgeom._core.pairs import _energies, _neighbours, _quantiles, _silhouettes
from skgeom._core.pairs._energies import Nearest
from skgeom._core.sums import _angular, _clusters, _spectrum
from skgeom._core.sums._clusters import ClassMoments
from skgeom._core.sums._moments import Moments, moments
from skgeom._typing import Array

Bounds = Callable[[int, int], tuple[float, float]]


class Cloud:
    """Rows, and labels where there are some, with every summary computed once, when first asked for."""

    def __init__(self, x: Array, labels: Labels | None = None) -> None:
        self.x = x
        self.labels = labels

    @cached_property
    def moments(self) -> Moments:
        """Weight, mean and scatter."""
        return moments(self.x)

    @cached_property
    def unit_rows(self) -> DirectedRows:
        """Rows and their norms."""
        return DirectedRows(self.x, _rows.norms(self.x))

    @cached_property
    def nearest(self) -> Nearest:
        """The row nearest to each row in angle."""
        return _energies.nearest_in_angle(self.unit_rows)

    @cached_property
    def log_partition(self) -> Array:
        """Log Z of the unit rows over the eigenvectors of their second moment, with both signs."""
        u = self.unit_rows.unit()
        return _angular.eigen_log_partition(u, moments(u), both_signs=True)

    @cached_property
    def labelled(self) -> tuple[Array, Labels]:
        """Rows and labels."""
        assert self.labels is not None
        return self.x, self.labels

    @cached_property
    def class_moments(self) -> ClassMoments:
        """Size, mean and scatter of each class."""
        return _clusters.class_moments(*self.labelled)


class Measure(NamedTuple):
    """One row of the table.

    `summary` is the attribute of `Cloud` that the kernel takes; `direction` is +1 where more is more isotropic, better
    separated or richer, -1 where less is, 0 where neither is; `bounds` maps (n, d) to the least and the largest value;
    `invariances` are among ``translation``, ``scaling``, ``rotation`` and ``row scaling``; `options` are the arguments
    of the public function that the kernel stands for; `per_row` marks measures with one value for each row, of which
    the kernel returns the mean; `differentiable` says whether gradients survive the kernel.
    """

    name: str
    summary: str
    kernel: Callable[[Any], Array]
    direction: int
    bounds: Bounds
    invariances: frozenset[str]
    cost: str
    source: str
    options: Mapping[str, Any] = MappingProxyType({})
    per_row: bool = False
    differentiable: bool = True

    @property
    def needs_labels(self) -> bool:
        """Whether the measure is one of labelled rows."""
        return self.summary in ("labelled", "class_moments")

    def __call__(self, cloud: Cloud) -> Array:
        """Return the value for a cloud, 0-d."""
        return self.kernel(getattr(cloud, self.summary))


def _mean(samples: Array) -> Array:
    return namespace(samples).mean(samples)


_RIGID = frozenset({"translation", "scaling", "rotation"})
_LINEAR = frozenset({"scaling", "rotation"})
_ROTATION = frozenset({"rotation"})
_ANGLES = frozenset({"scaling", "row scaling", "rotation"})


def _between(low: float, high: float) -> Bounds:
    return lambda n, d: (low, high)


def _rank(n: int, d: int) -> tuple[float, float]:
    return 0.0, float(min(n - 1, d))


def _isoscore_range(n: int, d: int) -> tuple[float, float]:
    return 0.0, (min(n - 1, d) - 1) / (d - 1) if d > 1 else 1.0


def _skewness_range(n: int, d: int) -> tuple[float, float]:
    return -(n - 2) / (n - 1) ** 0.5, (n - 2) / (n - 1) ** 0.5


def _unit_median(rows: DirectedRows) -> Array:
    quantiles = _quantiles.angle_quantiles(rows, np.array([0.5]))
    return asarray_like(quantiles, rows.x, dtype=namespace(rows.x).float64)[0]


_GRAM = "O(n d min(n, d))"
_LINE = "O(n d)"
_PAIRS = "O(n² d)"

_RUDMAN = "Rudman et al. 2022, arXiv:2108.07344"
_TOKARCHUK = "Tokarchuk et al. 2025, arXiv:2502.08231"
_MU = "Mu & Viswanath 2018, arXiv:1702.01417"

# fmt: off
_ROWS = (
    Measure("isoscore", "moments", _spectrum.isoscore,
            +1, _isoscore_range, _RIGID, _GRAM, _RUDMAN),
    Measure("isoscore_star", "moments", lambda m: _spectrum.isoscore_star(m, None, 0.5),
            +1, _between(0, 1), _RIGID, _GRAM, "Rudman & Eickhoff 2024, arXiv:2305.19358", {"zeta": 0.5}),
    Measure("isotropy_defect", "moments", _spectrum.isotropy_defect,
            -1, _between(0, 1), _RIGID, _GRAM, _RUDMAN),
    Measure("participation_ratio", "moments", _spectrum.participation_ratio,
            +1, _rank, _RIGID, _GRAM, "Gao et al. 2017, doi:10.1101/214262"),
    Measure("effective_rank", "moments", _spectrum.effective_rank,
            +1, _rank, _RIGID, _GRAM, "Roy & Vetterli 2007, EUSIPCO"),
    Measure("rankme", "moments", lambda m: _spectrum.rankme(m, 1e-7),
            +1, lambda n, d: (0, min(n, d) + 1e-3), _LINEAR, _GRAM, "Garrido et al. 2023, arXiv:2210.02885"),
    Measure("stable_rank", "moments", _spectrum.stable_rank,
            +1, _rank, _RIGID, _GRAM, "Rudelson & Vershynin 2007, doi:10.1145/1255443.1255449"),
    Measure("spectrum_slope", "moments", _spectrum.spectrum_slope,
            0, _between(0, inf), _RIGID, _GRAM, "Agrawal et al. 2022, arXiv:2202.05808"),
    Measure("average_cosine", "unit_rows", _angular.average_cosine,
            -1, lambda n, d: (-1 / (n - 1), 1), _ANGLES, _LINE, "Ethayarajh 2019, arXiv:1909.00512"),
    Measure("conformity", "unit_rows", _angular.average_cosine,
            0, _between(-1, 1), _ANGLES, _LINE, "Levi & Gilboa 2025, arXiv:2411.14517", per_row=True),
    Measure("partition_isotropy", "log_partition", _angular.partition_isotropy,
            +1, _between(0, 1), _ANGLES, _GRAM, _MU, {"normalize": True}),
    Measure("partition_dispersion", "log_partition", _angular.partition_dispersion,
            -1, _between(0, inf), _ANGLES, _GRAM, "Wang et al. 2020, ICLR", {"normalize": True}),
    Measure("partition_isotropy_first_order", "moments", _angular.first_order,
            +1, _between(-1, 1), _ROTATION, _LINE, _MU),
    Measure("partition_isotropy_second_order", "moments", _angular.second_order,
            +1, _between(-1, 1), _ROTATION, _GRAM, _MU),
    Measure("min_angle", "nearest", _energies.min_angle,
            +1, _between(0, pi), _ANGLES, _PAIRS, "Rankin 1955, doi:10.1017/S2040618500033219"),
    Measure("median_angle", "unit_rows", _unit_median,
            0, _between(0, pi), _ANGLES, _PAIRS, _TOKARCHUK, differentiable=False),
    Measure("spherical_variance", "unit_rows", _angular.spherical_variance,
            +1, _between(0, 1), _ANGLES, _LINE, "Mardia & Jupp 1999, doi:10.1002/9780470316979"),
    Measure("uniformity", "unit_rows", partial(_energies.uniformity, t=2.0),
            -1, _between(-8, 0), _ANGLES, _PAIRS, "Wang & Isola 2020, arXiv:2005.10242"),
    Measure("kernel_energy", "unit_rows", partial(_energies.mean_energy, kernel=partial(_energies.gaussian, 1.0, 0.0)),
            -1, _between(0, 1), _ANGLES, _PAIRS, _TOKARCHUK),
    Measure("riesz_energy", "unit_rows", partial(_energies.mean_energy, kernel=partial(_energies.riesz, 1.0)),
            -1, _between(0.5, inf), _ANGLES, _PAIRS, "Liu et al. 2018, arXiv:1805.09298"),
    Measure("mmd_uniform", "unit_rows", partial(_energies.mmd_uniform, gamma=1.0),
            -1, _between(0, 1), _ANGLES, _PAIRS, _TOKARCHUK),
    Measure("koleo", "nearest", _energies.koleo,
            -1, _between(-log(2), inf), _ANGLES, _PAIRS, "Sablayrolles et al. 2019, arXiv:1806.03198"),
    Measure("mma", "nearest", _energies.mma,
            -1, _between(-pi, 0), _ANGLES, _PAIRS, "Wang et al. 2020, arXiv:2006.06527"),
    Measure("mmcs", "nearest", _energies.mmcs,
            -1, _between(-1, 1), _ANGLES, _PAIRS, _TOKARCHUK),
    Measure("hubness", "unit_rows", lambda rows: _neighbours.hubness(_neighbours.as_directions(as_data(rows.x)), 10),
            -1, _skewness_range, _ANGLES, _PAIRS, "Radovanović et al. 2010, JMLR 11", differentiable=False),
    Measure("silhouette_score", "labelled", lambda cloud: _mean(_silhouettes.silhouette_samples(*cloud)),
            +1, _between(-1, 1), _RIGID, _PAIRS, "Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7"),
    Measure("calinski_harabasz_score", "class_moments", _clusters.calinski_harabasz,
            +1, _between(0, inf), _RIGID, _LINE, "Caliński & Harabasz 1974, doi:10.1080/03610927408827101"),
    Measure("dunn_index", "labelled", lambda cloud: _silhouettes.dunn_index(*cloud),
            +1, _between(0, inf), _RIGID, _PAIRS, "Dunn 1974, doi:10.1080/01969727408546059"),
)
# fmt: on

MEASURES: dict[str, Measure] = {row.name: row for row in _ROWS}
