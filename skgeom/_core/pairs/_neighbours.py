"""Neighbours, ranks and hubs: the order of the similarities between two sets of rows.

A panel of rows is compared with the others in strips of a float32 product, or, if that leaves too many candidates, of a
float64 product. They determine the few candidates that may be among the nearest up to the rounding of the product. Only
the distances of these are summed directly, so close pairs keep all their digits and equal rows have equal distances.
Ranks need no neighbours: they are counts of more similar rows, also from float32 products, or from float64 if these
leave many undecided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from threading import Lock
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from skgeom._array import (
    asarray_like,
    device_of,
    epsilon,
    excess_exponent,
    float64,
    is_on_host,
    kth_largest,
    matmul,
    namespace,
    overwrite,
    peak,
    row_blocks,
    scratch,
    side_by_side,
    subtract,
    take_rows,
    times_power_of_two,
    to_numpy,
    vecdot,
    where,
)
from skgeom._core._equal_rows import first_equal
from skgeom._core._rows import mean_of, norms
from skgeom._core._threads import in_threads
from skgeom._core.pairs._cosines import EQUAL
from skgeom._core.pairs._left_out import Lists, Space, sum_without
from skgeom._core.pairs._tiles import panels
from skgeom._typing import Array

CSLS_NEIGHBOURS = 10
"""Number of neighbours in the mean similarity of CSLS."""

_ROUNDINGS = 4
"""Distances that differ by at most this many roundings of a row to the precision of the data count as equal too."""

_NO_SPREAD = 1e-9
"""Occurrences with a spread below this share of their mean differ only by the order of summation."""

_SQUARED = 2.0**50
"""Magnitude up to which the squares of rows stay within float32."""

PROBE_ROWS = 32
"""Number of rows that test whether float32 products leave few enough candidates."""

_FEW = 0.01
"""Maximum share of the pairs of a strip to count one by one: beyond, a float64 product costs less."""

_COLUMNS = 4096
"""Columns of a strip: enough for few passes over the candidates, few enough for the cache."""

_GROUP = 16
"""The k-th largest of the maxima of groups of this size bounds the k-th largest of all, in one cheap pass."""

_MOST_CANDIDATES = 1 << 18
"""Maximum number of candidates of a panel to keep at once, unless k is large."""

_PER_NEIGHBOUR = 8
"""Number of candidates per neighbour to keep before the list is cut."""


Strips: TypeAlias = Iterable[tuple[slice, Array]]
"""Ranges of rows and the products of a panel with them."""


class Rows(NamedTuple):
    """Input rows x (n, d), with their norms (n,) or an origin (d,) near their mean, in float64."""

    x: Array
    norms: Array | None = None
    origin: Array | None = None


class Ranks(NamedTuple):
    """Counts of candidates per query (q,): better than the best relevant one, tied, and relevant among the ties."""

    better: np.ndarray
    tied: np.ndarray
    relevant: np.ndarray


class Search(NamedTuple):
    """The common data of the panels of a search for the k nearest.

    `dtype` is that of the products; `own` (n,) is the position of rows of x among those of y, or -1.
    """

    x: Rows
    y: Rows
    k: int
    dtype: Any
    offset: Array | None
    adjust: Array | None
    own: np.ndarray | None


class _Candidates(NamedTuple):
    """Rows of a panel, candidates for them, and their products: three flat arrays."""

    row: Array
    column: Array
    product: Array


class Bands(NamedTuple):
    """Some rows (q,), ascending, and for each a band of tied similarities; on the host."""

    row: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def parts(self, x: Array) -> list[Bands]:
        """Return the bands, cut by the panels of x."""
        step = panels(x)[0].stop
        return [Bands(*(side[i : i + step] for side in self)) for i in range(0, self.row.size, step)]


def as_places(x: Array) -> Rows:
    """Return rows as points."""
    return Rows(x, origin=mean_of(x))


def as_directions(x: Array) -> Rows:
    """Return rows as directions, with norms in the precision of float64."""
    return Rows(x, norms=namespace(x).concat([norms(float64(x[rows, :])) for rows in row_blocks(x)]))


def k_nearest(x: Rows, y: Rows | None, k: int, adjust: Array | None = None) -> tuple[Array, Array]:
    """Return the k smallest ‖x - y‖² + adjust(y), ascending, and the positions of these rows of y, both (n, k).

    Without y they are the rows of x other than the row itself. Equal values come in the order of the rows.
    """
    xp, others, tiles = namespace(x.x), x if y is None else y, panels(x.x)
    own, kept = np.arange(x.x.shape[0]) if y is None else None, not_repeated(others.x, k)
    if kept is not None:
        others, adjust = rows_at(others, kept), None if adjust is None else take_rows(adjust, kept)
        own = None if own is None else np.where(np.isin(own, kept), np.searchsorted(kept, own), -1)
    search = Search(x, others, k, _dtype_of_products(x, others), offset_of(others, adjust), adjust, own)
    if search.dtype != xp.float64 and not leaves_few(search):
        search = search._replace(dtype=xp.float64)
    values, columns = zip(*in_threads(x.x, lambda i: panel_nearest(search, tiles[i]), len(tiles)), strict=True)
    found = xp.concat(columns)
    if kept is not None:
        found = xp.reshape(xp.take(asarray_like(kept, found), xp.reshape(found, (-1,))), found.shape)
    return xp.concat(values), found


def nearest_by_cosine(x: Array, y: Array | None, k: int) -> tuple[Array, Array]:
    """Return the cosine distances of rows to the k nearest of y, or of the others, and their positions."""
    others = None if y is None else as_directions(y)
    squares, indices = k_nearest(as_directions(x), others, k)
    return namespace(squares).clip(squares / 2, max=2.0), indices


def nearest_by_distance(x: Array, y: Array | None, k: int) -> tuple[Array, Array]:
    """Return the same with Euclidean distances; a common power of two keeps squares of extreme data in range."""
    exponent = excess_exponent(float64(x[:1, :]), max(peak(side) for side in (x, y) if side is not None))

    def in_range(side: Array) -> Array:
        return times_power_of_two(float64(side), -exponent) if exponent else side

    others = None if y is None else as_places(in_range(y))
    rows = as_places(in_range(x)) if others is None else Rows(in_range(x), origin=others.origin)
    squares, indices = k_nearest(rows, others, k)
    return times_power_of_two(namespace(squares).sqrt(squares), exponent), indices


def crowding(x: Rows, y: Rows | None, k: int = CSLS_NEIGHBOURS) -> Array:
    """Return the mean cosine of each unit row of x to its k nearest rows, or to all if there are fewer (n,)."""
    candidates = x.x.shape[0] - 1 if y is None else y.x.shape[0]
    return mean_cosine(k_nearest(x, y, min(k, candidates))[0])


def mean_cosine(squares: Array) -> Array:
    """Return the mean cosine (n,) of unit rows at squared distances (n, k)."""
    return 1 - namespace(squares).mean(squares, axis=1) / 2


def ranks(x: Rows, y: Rows, pairs: np.ndarray, adjust: Array | None = None) -> Ranks:
    """Return the standing of the best relevant candidate of each query among the unit rows y.

    The similarity is cos - adjust(y) / 2. The pairs (p, 2) of query and relevant candidate are sorted and different.
    """
    bands, relevant = bands_of_best(x, y, pairs, squares_of(x, y, pairs), adjust)
    better, tied = rank_counts(x, y, bands, offset_of(y, adjust))
    return Ranks(better, np.maximum(tied, relevant), relevant)


def ranks_without(codes: np.ndarray, x: Rows, y: Rows) -> list[Ranks]:
    """Return the ranks of partners among the rows outside each block, and among all.

    Row i of y belongs to row i of x. The codes (n,) of the blocks are on the host.
    """
    pairs = np.stack([np.arange(codes.size)] * 2, axis=1)
    bands, _ = bands_of_best(x, y, pairs, squares_of(x, y, pairs), None)
    counts = []
    for block in range(codes.max() + 1):
        candidates = as_directions(take_rows(y.x, np.flatnonzero(codes == block)))
        counts.append(np.stack(rank_counts(x, candidates, bands, None)))
    whole = np.sum(counts, axis=0)
    left = [(whole - gone)[:, codes != block] for block, gone in enumerate(counts)]
    return [Ranks(better, np.maximum(tied, 1), np.ones_like(tied)) for better, tied in (*left, whole)]


def squares_of(x: Rows, y: Rows, pairs: np.ndarray) -> np.ndarray:
    """Return ‖x - y‖² of pairs (p, 2) of rows, summed directly, on the host (p,)."""
    return to_numpy(_squared_distances(x, y, *(asarray_like(side, x.x, namespace(x.x).int64) for side in pairs.T)))


def bands_of_best(
    x: Rows, y: Rows, pairs: np.ndarray, squares: np.ndarray, adjust: Array | None
) -> tuple[Bands, np.ndarray]:
    """Return the band of the best relevant candidate of each query, and the number of relevant candidates in it."""
    similarity = 1 - squares / 2 - (0.0 if adjust is None else to_numpy(adjust)[pairs[:, 1]] / 2)
    order = np.lexsort((-similarity, pairs[:, 0]))
    queries, first, sizes = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    best = order[first]
    width = tie_width(squares[best], x, y)
    bands = Bands(queries, similarity[best] - width, similarity[best] + width)
    return bands, np.add.reduceat((similarity >= np.repeat(bands.low, sizes)).astype(np.int64), first)


def expected_recall(r: Ranks, k: int) -> np.ndarray:
    """Return for each query the probability that a relevant candidate is among the first k, ties in random order.

    None of r relevant candidates is among the first m of t tied ones with probability C(t - r, m) / C(t, m).
    """
    return 1 - _none_among(r, np.clip(k - r.better, 0, r.tied))


def expected_reciprocal_rank(r: Ranks) -> np.ndarray:
    """Return for each query the mean of 1 / rank of the first relevant candidate, ties in random order.

    One relevant among t: (H(b + t) - H(b)) / t with the harmonic numbers H. Several: Σ 1 / (b + j) over the
    probabilities that the first of them has position j.
    """
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1.0, np.max(r.better + r.tied) + 1))])
    mean = (harmonic[r.better + r.tied] - harmonic[r.better]) / r.tied
    mean[r.tied == 1] = 1 / (r.better[r.tied == 1] + 1)
    for several in np.unique(np.stack(r, axis=1)[r.relevant > 1], axis=0):
        better, tied, relevant = several
        position = np.arange(tied + 1)
        none_so_far = _none_among(Ranks(*(np.full(tied + 1, count) for count in several)), position)
        expected = np.sum(-np.diff(none_so_far) / (better + position[1:]))
        mean[(r.better == better) & (r.tied == tied) & (r.relevant == relevant)] = expected
    return mean


def expected_rank(r: Ranks) -> np.ndarray:
    """Return for each query the mean rank, from 1, of the first relevant candidate, ties in random order."""
    return r.better + (r.tied + 1) / (r.relevant + 1)


def occurrences(x: Rows, k: int) -> np.ndarray:
    """Return how often each row is among the k nearest of the others (n,), on the host.

    Candidates tied at the k-th place share the remaining places.
    """
    n = x.x.shape[0]
    squares, index = (to_numpy(found) for found in k_nearest(x, None, min(k + 1, n - 1)))
    kth = squares[:, k - 1]
    width = tie_width(kth, x, x)
    is_tied = squares[:, -1] - kth <= 2 * width if k < n - 1 else np.zeros(n, dtype=bool)
    count = np.bincount(index[~is_tied, :k].ravel(), minlength=n).astype(float)
    if not is_tied.any():
        return count
    product = (1.0 if x.norms is not None else _lengths(x) / 2) - kth / 2
    bands = Bands(np.arange(n), product - width, product + width)
    return count + _shared(x, Bands(*(side[is_tied] for side in bands)), k, offset_of(x, None))


def hubness(x: Rows, k: int) -> Array:
    """Return the skewness of the k-occurrence; 0 if it is the same for all rows."""
    return asarray_like(_skewness(occurrences(x, k), k), x.x, dtype=namespace(x.x).float64)


def hubness_without(codes: np.ndarray, x: Rows, k: int) -> np.ndarray | None:
    """Return the same for the rows outside each block, and for all rows; None if too many are tied.

    The codes (n,) name the blocks; without any one of them more than k rows remain.
    """

    def nearest(rows: np.ndarray | None, w: int) -> tuple[np.ndarray, np.ndarray]:
        found = k_nearest(x, None, w) if rows is None else k_nearest(rows_at(x, rows), x, w)
        return to_numpy(found[0]), to_numpy(found[1])

    def counts(parts: Sequence[Lists]) -> np.ndarray:
        (lists,) = parts
        flat, own = lists.others.ravel(), codes[lists.rows, None]
        weights = (lists.weights(block, k) * (own != block) for block in range(codes.max() + 2))
        return np.stack([np.bincount(flat, one.ravel(), codes.size) for one in weights])

    space = Space(nearest, lambda rows, kth: 2 * tie_width(kth, rows_at(x, rows), x))
    found = sum_without(codes, [space], k, counts)
    return None if found is None else np.array([_skewness(one[codes != b], k) for b, one in enumerate(found)])


def _skewness(occurrences: np.ndarray, k: int) -> float:
    deviation = occurrences - k
    variance = np.mean(deviation**2)
    return float(np.mean(deviation**3) / variance**1.5) if variance > (_NO_SPREAD * k) ** 2 else 0.0


def _none_among(r: Ranks, m: np.ndarray) -> np.ndarray:
    """Return C(t - r, m) / C(t, m) = Π (t - m - i) / (t - i) over i < r: no relevant one is among m of t tied."""
    product = np.ones(m.shape)
    for i in range(int(np.max(r.relevant))):
        factor = np.maximum(r.tied - m - i, 0) / np.maximum(r.tied - i, 1)
        product = np.where(i < r.relevant, product * factor, product)
    return product


def block_of(rows: Rows, panel: slice) -> Array:
    """Return rows of a panel in float64, of unit length or around the origin."""
    block = float64(rows.x[panel, :])
    return block - rows.origin if rows.norms is None else block / rows.norms[panel][:, None]


def _at(rows: Rows, index: Array) -> Array:
    """Return rows at some positions in float64, of unit length or unchanged."""
    xp = namespace(rows.x)
    chosen = float64(take_rows(rows.x, index))
    return chosen if rows.norms is None else chosen / xp.take(rows.norms, index)[:, None]


def rows_at(rows: Rows, index: np.ndarray) -> Rows:
    """Return some of the rows."""
    return Rows(take_rows(rows.x, index), None if rows.norms is None else take_rows(rows.norms, index), rows.origin)


def not_repeated(x: Array, k: int) -> np.ndarray | None:
    """Return the rows without those preceded by more than k equal ones; None if that is all rows.

    Of equal rows the first k + 1 suffice as neighbours, which avoids sums over all ties of a collapsed space.
    """
    firsts = first_equal(x)
    order = np.argsort(firsts, kind="stable")
    _, leader, size = np.unique(firsts[order], return_index=True, return_counts=True)
    place = np.arange(firsts.size) - np.repeat(leader, size)
    return None if size.max() <= k + 1 else np.sort(order[place <= k])


def _dtype_of_products(x: Rows, y: Rows) -> Any:
    """Return float32 if the squares of all rows are within its range, else float64.

    On an accelerator float64 rows stay so: float32 gains little there, or the library may reduce its precision.
    """
    xp = namespace(x.x)

    def is_single(side: Rows) -> bool:
        is_tellable = side.x.dtype == xp.float32 or is_on_host(side.x)
        return is_tellable and (side.norms is not None or peak(side.x) < _SQUARED)

    return xp.float32 if is_single(x) and (y is x or is_single(y)) else xp.float64


def offset_of(y: Rows, adjust: Array | None) -> Array | None:
    """Return the offset (n,) with which ⟨x, y⟩ - offset orders the rows y like -‖x - y‖² - adjust(y)."""
    xp = namespace(y.x)
    half = None if adjust is None else adjust / 2
    if y.norms is not None:
        return half
    squares = xp.concat([vecdot(block, block) for block in (block_of(y, panel) for panel in panels(y.x))])
    return squares / 2 if half is None else squares / 2 + half


def _squared_distances(x: Rows, y: Rows, i: Array, j: Array) -> Array:
    """Return ‖x - y‖² of pairs of rows (p,), summed directly."""
    parts = []
    for pairs in row_blocks(i[:, None], columns=x.x.shape[1]):
        difference = _at(x, i[pairs]) - _at(y, j[pairs])
        parts.append(vecdot(difference, difference))
    return namespace(x.x).concat(parts)


def strips(
    left: Array, y: Rows, offset: Array | None = None, excluded: np.ndarray | None = None, *, keep: bool = False
) -> Strips:
    """Yield ranges of rows of y and the products ⟨x, y⟩ - offset with them (b, w), valid until the next unless kept.

    Pairs with the excluded row of y, one per row of the panel or -1, are -inf.
    """
    tiles = panels(y.x)
    step = _tiles_at_once(left, tiles[0].stop)
    room = None
    for first in range(0, len(tiles), step):
        group = tiles[first : first + step]
        start, stop = group[0].start, group[-1].stop
        if room is None or keep:
            room = scratch(left, (left.shape[0], stop - start))
        outs = [None if room is None else room[:, tile.start - start : tile.stop - start] for tile in group]
        parts = [_tile(left, y, tile, offset, excluded, out) for tile, out in zip(group, outs, strict=True)]
        yield slice(start, stop), side_by_side(parts, room)


def _tiles_at_once(left: Array, columns: int) -> int:
    """Return the number of tiles in a strip: two of full height on an accelerator, since each strip is a wait."""
    return max(1, _COLUMNS // columns if is_on_host(left) else 2 * _COLUMNS // left.shape[0])


def _tile(
    left: Array, y: Rows, tile: slice, offset: Array | None, excluded: np.ndarray | None, out: np.ndarray | None
) -> Array:
    xp = namespace(left)
    products = matmul(left, xp.astype(block_of(y, tile), left.dtype, copy=False).T, out)
    if offset is not None:
        products = subtract(products, xp.astype(offset[tile], left.dtype, copy=False), out)
    if excluded is None or not np.any((tile.start <= excluded) & (excluded < tile.stop)):
        return products
    columns = xp.arange(tile.start, tile.stop, dtype=xp.int64, device=device_of(left))
    return overwrite(products, asarray_like(excluded, left, xp.int64)[:, None] == columns[None, :], -xp.inf)


def panel_nearest(search: Search, panel: slice, met: Strips | None = None) -> tuple[Array, Array]:
    """Return the result of `k_nearest` for the rows of a panel, whose strips may be known.

    A panel with too many candidates is retried with float64 products, which leave fewer ties, or else halved.
    """
    xp, k = namespace(search.x.x), search.k
    gathered = _gathered(search, panel, met)
    if gathered is not None:
        found, length = gathered
        values, found = _settled(search, panel, _cut(found, k, length, search.x.x.shape[1])[0])
        return xp.reshape(values, (-1, k)), xp.reshape(found.column, (-1, k))
    if search.dtype != xp.float64:
        return panel_nearest(search._replace(dtype=xp.float64), panel)
    middle = (panel.start + panel.stop) // 2
    halves = [panel_nearest(search, half) for half in (slice(panel.start, middle), slice(middle, panel.stop))]
    return xp.concat([values for values, _ in halves]), xp.concat([columns for _, columns in halves])


def leaves_few(search: Search) -> bool:
    """Return whether the candidates are few enough for some rows."""
    return _gathered(search, slice(0, min(PROBE_ROWS, search.x.x.shape[0]))) is not None


def _gathered(search: Search, panel: slice, met: Strips | None = None) -> tuple[_Candidates, Array] | None:
    """Return for a panel of rows all candidates for the k nearest, and squared lengths; None if they are too many."""
    block, k, n_rows = block_of(search.x, panel), search.k, panel.stop - panel.start
    xp, d, found = namespace(block), block.shape[1], None
    left = xp.astype(block, search.dtype, copy=False)
    length = vecdot(left, left)
    kth = xp.full_like(length, -xp.inf)
    excluded = None if search.own is None else search.own[panel]
    usual = _PER_NEIGHBOUR * k * n_rows
    most = max(_MOST_CANDIDATES, usual)
    for columns, strip in met or strips(left, search.y, search.offset, excluded):
        kth = xp.maximum(kth, _bound(strip, k))
        new = _above(strip, _floor(kth, length, d), columns.start)
        if new.row.shape[0] > most and n_rows > 1:
            return None
        found = new if found is None else _Candidates(*(xp.concat(both) for both in zip(found, new, strict=True)))
        if found.row.shape[0] > usual:
            found, kth = _cut(found, k, length, d)
            if found.row.shape[0] > usual and search.dtype != xp.float64:
                return None
        if found.row.shape[0] > most:
            _, found = _settled(search, panel, found)
    assert found is not None
    return found, length


def _bound(strip: Array, k: int) -> Array:
    """Return for each row of a strip a lower bound of its k-th largest value (b,); -inf if there are fewer."""
    xp, (rows, width) = namespace(strip), strip.shape
    groups = width // _GROUP
    if groups >= 4 * k:
        strip = xp.max(xp.reshape(strip[:, : groups * _GROUP], (rows, _GROUP, groups)), axis=1)
    return kth_largest(strip, k) if k <= width else xp.full_like(strip[:, 0], -xp.inf)


def _floor(kth: Array, length: Array, d: int) -> Array:
    """Return the product (b,) below which no pair can be among the k nearest, whatever the rounding.

    The error of ⟨x, y⟩ - ‖y‖² / 2 is at most (d + 2) u (‖x‖² / 2 + ‖y‖²), and a candidate that may be among the nearest
    has ‖y‖² <= 2 ‖x‖² + 2 ‖x - y‖², where ‖x - y‖² is about ‖x‖² - 2 kth. Rows rounded to the precision of the product
    add 2 u of the same, and underflow adds up to the smallest number for each term.
    """
    xp = namespace(kth)
    info, unit = xp.finfo(kth.dtype), epsilon(kth) / 2
    kth = xp.clip(kth, min=float(info.min) / 4)
    return kth - 16 * (d + 4) * (unit * (length + xp.abs(kth)) + float(info.smallest_normal))


def _above(strip: Array, floor: Array, first: int) -> _Candidates:
    """Return the entries of a strip that reach the floor of their row, row by row."""
    row, column = entries(strip >= floor[:, None])
    flat = row * strip.shape[1] + column
    return _Candidates(row, column + first, namespace(strip).take(namespace(strip).reshape(strip, (-1,)), flat))


def _cut(found: _Candidates, k: int, length: Array, d: int) -> tuple[_Candidates, Array]:
    """Return the candidates for the k nearest so far, by row, and the k-th largest product of each row."""
    xp = namespace(length)
    found = _taken(found, xp.argsort(-found.product, stable=True))
    found = _taken(found, xp.argsort(found.row, stable=True))
    first, last = _ranges(found.row, length.shape[0])
    position = xp.clip(first + k - 1, max=found.row.shape[0] - 1)
    kth = xp.where(first + k <= last, xp.take(found.product, position), xp.full_like(length, -xp.inf))
    kept = found.product >= xp.take(_floor(kth, length, d), found.row)
    return _taken(found, xp.nonzero(kept)[0]), kth


def _settled(search: Search, panel: slice, found: _Candidates) -> tuple[Array, _Candidates]:
    """Return the k smallest ‖x - y‖² + adjust(y) of each row, equal ones in the order of y, and their candidates."""
    xp = namespace(found.product)
    found = _taken(found, xp.argsort(found.column, stable=True))
    values = _squared_distances(search.x, search.y, found.row + panel.start, found.column)
    values = values if search.adjust is None else values + xp.take(search.adjust, found.column)
    order = xp.argsort(values, stable=True)
    order = xp.take(order, xp.argsort(xp.take(found.row, order), stable=True))
    first, _ = _ranges(xp.take(found.row, order), panel.stop - panel.start)
    places = first[:, None] + xp.arange(search.k, dtype=first.dtype, device=device_of(first))[None, :]
    order = xp.take(order, xp.reshape(places, (-1,)))
    return xp.take(values, order), _taken(found, order)


def _taken(found: _Candidates, order: Array) -> _Candidates:
    return _Candidates(*(namespace(order).take(part, order) for part in found))


def _ranges(row: Array, n_rows: int) -> tuple[Array, Array]:
    """Return the ranges of the entries of each row, for sorted rows."""
    xp = namespace(row)
    rows = xp.arange(n_rows, dtype=row.dtype, device=device_of(row))
    return xp.searchsorted(row, rows), xp.searchsorted(row, rows, side="right")


def _lengths(rows: Rows) -> np.ndarray:
    """Return ‖x‖² (n,) of the rows as they enter products, on the host."""
    blocks = (block_of(rows, panel) for panel in panels(rows.x))
    return np.concatenate([to_numpy(vecdot(block, block)) for block in blocks])


def tie_width(squares: np.ndarray, x: Rows, y: Rows) -> np.ndarray:
    """Return the maximum difference of tied products, for rows at some squared distance (n,).

    A change of a row by ε times its length L changes its distance D to another by ε L, and their product by ε L D.
    """
    spacing = _ROUNDINGS * max(epsilon(x.x), epsilon(y.x))
    if x.norms is not None:
        return EQUAL + spacing * np.sqrt(squares)
    length = as_directions(x.x).norms
    assert length is not None
    return EQUAL * (_lengths(x) + squares) + spacing * to_numpy(length) * np.sqrt(squares)


def _queries(x: Rows, bands: Bands) -> Array:
    """Return the rows that have bands (q, d) in float64, of unit length or around the origin."""
    left = _at(x, asarray_like(bands.row, x.x, dtype=namespace(x.x).int64))
    return left if x.origin is None else left - x.origin


def _met(
    x: Rows, y: Rows, bands: Bands, offset: Array | None, *, exclude: bool = False
) -> Iterator[tuple[slice, Array, Array]]:
    """Yield ranges of rows of y, and masks (b, w) of those above the bands of rows of x, and of those above or in."""
    left = _queries(x, bands)
    low, high = (asarray_like(side, left)[:, None] for side in (bands.low, bands.high))
    for columns, strip in strips(left, y, offset, bands.row if exclude else None):
        yield columns, strip > high, strip >= low


def rank_counts(x: Rows, y: Rows, bands: Bands, offset: Array | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the result of `_counts` for unit rows, by float32 products if these suffice for a few rows."""
    few = Bands(*(side[:PROBE_ROWS] for side in bands))
    if not is_on_host(x.x) or _screened(x, y, few, offset) is None:
        return _counts(x, y, bands, offset)
    parts = bands.parts(x.x)

    def work(i: int) -> np.ndarray:
        found = _screened(x, y, parts[i], offset)
        return np.stack(_counts(x, y, parts[i], offset)) if found is None else found

    above, within = np.concatenate(in_threads(x.x, work, len(parts)), axis=1)
    return above, within


def _screened(x: Rows, y: Rows, bands: Bands, offset: Array | None) -> np.ndarray | None:
    """Return the number of unit rows of y above, and in, the bands of some rows of x (2, q).

    The error of a float32 product is at most d + 5 of its roundings. Pairs that close to a band are counted by their
    float64 product; None if they are so many that a product of all costs less.
    """
    xp, slack = namespace(x.x), slack_of_single(x.x.shape[1])
    single = xp.astype(_queries(x, bands), xp.float32)
    low, high = (asarray_like(side, single)[:, None] for side in (bands.low - slack, bands.high + slack))
    counts = np.zeros((2, bands.row.size), dtype=np.int64)
    for columns, strip in strips(single, y, offset):
        is_above = strip > high
        row, column = entries((strip >= low) != is_above)
        if row.shape[0] > _FEW * strip.shape[0] * strip.shape[1]:
            return None
        counts[0] += to_numpy(xp.count_nonzero(is_above, axis=1))
        counts += counted_singly(x, y, bands, offset, to_numpy(row), to_numpy(column) + columns.start)
    return counts


def slack_of_single(d: int) -> float:
    """Return a generous bound on the error of float32 products of unit rows, less an offset."""
    return 4 * (d + 4) * float(np.finfo(np.float32).eps) / 2


def counted_singly(
    x: Rows, y: Rows, bands: Bands, offset: Array | None, place: np.ndarray, column: np.ndarray
) -> np.ndarray:
    """Return the number of some pairs (p,) of a band and a row of y that are above the band, and in it (2, q)."""
    i, j = (asarray_like(index, x.x, namespace(x.x).int64) for index in (bands.row[place], column))
    product = to_numpy(_products(x, y, i, j) - (0.0 if offset is None else namespace(x.x).take(offset, j)))
    better, reached = product > bands.high[place], product >= bands.low[place]
    return np.stack([np.bincount(place[kept], minlength=bands.row.size) for kept in (better, reached & ~better)])


def entries(mask: Array) -> tuple[Array, Array]:
    """Return the rows and columns of the true entries of a mask, row by row."""
    flat = namespace(mask).nonzero(namespace(mask).reshape(mask, (-1,)))[0]
    row = flat // mask.shape[1]
    return row, flat - row * mask.shape[1]


def _products(x: Rows, y: Rows, i: Array, j: Array) -> Array:
    """Return the products of rows i of x with rows j of y (p,), in float64."""
    xp = namespace(x.x)
    parts = [vecdot(_at(x, i[pairs]), _at(y, j[pairs])) for pairs in row_blocks(i[:, None], columns=x.x.shape[1])]
    return xp.concat(parts) if parts else float64(x.x[:0, 0])


def _counts(
    x: Rows, y: Rows, bands: Bands, offset: Array | None, *, exclude: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return for some rows of x the number of rows of y above their bands, and in them."""
    xp, parts = namespace(x.x), bands.parts(x.x)

    def work(i: int) -> Array:
        above: Any = 0
        reached: Any = 0
        for _, is_above, has_reached in _met(x, y, parts[i], offset, exclude=exclude):
            above = above + xp.count_nonzero(is_above, axis=1)
            reached = reached + xp.count_nonzero(has_reached, axis=1)
        return xp.stack([above, reached])

    above, reached = to_numpy(xp.concat(in_threads(x.x, work, len(parts)), axis=1))
    return above, reached - above


def _shared(x: Rows, bands: Bands, k: int, offset: Array | None) -> np.ndarray:
    """Return the occurrences (n,) among the k nearest of some rows; those in the band of the k-th share places."""
    xp, parts = namespace(x.x), bands.parts(x.x)
    above, within = _counts(x, x, bands, offset, exclude=True)
    shares = np.split((k - above) / np.maximum(within, 1), np.cumsum([part.row.size for part in parts])[:-1])
    total, lock = np.zeros(x.x.shape[0]), Lock()

    def work(i: int) -> None:
        share = asarray_like(shares[i], x.x, dtype=xp.float64)[:, None]
        for columns, is_above, has_reached in _met(x, x, parts[i], offset, exclude=True):
            sums = xp.sum(where(is_above, 1.0, where(has_reached, share, 0.0)), axis=0)
            with lock:
                total[columns] += to_numpy(sums)

    in_threads(x.x, work, len(parts))
    return total
