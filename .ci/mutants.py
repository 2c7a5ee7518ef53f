"""Breaks the library on purpose, one line at a time, and says which breaks no test notices.

``python .ci/mutants.py`` tries all, ``python .ci/mutants.py energies neighbours`` those of files with such a name, and
``python .ci/mutants.py --check`` none. A mutant that survives wants a test, or a reason beside it here. Run it on a
clean tree, after changes of the mathematics.
"""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Mutant(NamedTuple):
    """A line of a file below skgeom/, what takes its place, and the tests that must notice."""

    file: str
    line: str
    wrong: str
    tests: str


CORE, METRICS, PREPROCESSING = "tests/core", "tests/metrics", "tests/preprocessing"
OPTIMISER = "tests/optim/test_embedding_optimizer.py"
SPHERES = "tests/optim/test_riemannian.py"
LONG_FITS = "tests/optim/test_long_fits.py"
HEADS, SAMPLES = "tests/optim/test_heads.py", "tests/optim/test_samples.py"
SCORERS = f"{METRICS}/test_what_scorers_see.py"
PAIRS, DISTANCES = f"{METRICS}/test_pair_cosines.py", f"{METRICS}/test_distances.py"
ELLIPSOID = "tests/multimodal/test_double_ellipsoid.py"
CALIBRATION = "tests/calibration"
FILES = "tests/datasets"
COMPARISON = "tests/comparison"
CLOUDS, DRIFT = f"{COMPARISON}/test_clouds.py", f"{COMPARISON}/test_drift.py"
SUMMARY = "tests/summary/test_summary.py"
SEEN = "tests/metrics/test_what_scorers_see.py"
JUDGES, INTERVALS = "tests/model_selection/test_judges.py", "tests/model_selection/test_intervals.py"
JACKKNIFE, ESTIMATES = f"{CORE}/test_jackknife.py", f"{METRICS}/test_estimate.py"
LEFT_OUT = f"{CORE}/test_left_out.py"
PICTURES = "tests/inspection"
DASK = "tests/test_dask.py"
BLOCKS, WRITTEN = "tests/test_blocks.py", "tests/test_transform_into.py"
PAGE = "tests/report/test_page.py"
MUTANTS = [
    Mutant("_array.py", "tell(full)", "pass", f"{METRICS}/test_training_loops.py"),
    Mutant("_array.py", "if whole == 0 or x.dtype == xp.float64:", "if True:", "tests/test_array.py"),
    Mutant("_array.py", "return [where]", "return []", "tests/test_devices.py"),
    Mutant("_core/sums/_moments.py", "if not is_on_host(self.mean):", "if False:", "tests/test_devices.py"),
    Mutant("_core/sums/_spectrum.py", "near = nearby(m).second\n    s", "near = m\n    s", "tests/test_devices.py"),
    Mutant("_array.py", "if index >= n_gpus:", "if False:", "tests/test_devices.py"),
    Mutant("_array.py", ".dtype == xp.float64\n    except", ".dtype != 0\n    except", "tests/test_devices.py"),
    Mutant("multimodal/_offset.py", "if are_exact_lengths(z, *of_z)", "if True", ELLIPSOID),
    Mutant(
        "_core/_rows.py",
        "(x - pivot) - namespace(x).astype(mean - float64(pivot), x.dtype)",
        "x - pivot",
        "tests/preprocessing",
    ),
    Mutant("metrics/_representation.py", "for name in names | {made})", "for name in {made})", SEEN),
    Mutant("metrics/_representation.py", 'if name == "labels_":', "if False:", SEEN),
    Mutant("metrics/_representation.py", "is_clusterer(step) and (", "is_clusterer(step) or (", SEEN),
    Mutant("metrics/_representation.py", '{"groups"} | asked', "asked", SEEN),
    Mutant("_core/sums/_maps.py", "product += rest", "product += 0 * rest", "tests/preprocessing/test_whitening.py"),
    Mutant("_core/sums/_clusters.py", "np.finfo(np.float64).eps ** 2)", "0)", f"{METRICS}/test_clusters.py"),
    Mutant("_core/sums/_clusters.py", "xp.max(where(is_own", "xp.min(where(is_own", f"{METRICS}/test_clusters.py"),
    Mutant("_core/sums/_clusters.py", "to_own * size / xp.clip(size - 1", "to_own * size / xp.clip(size", METRICS),
    Mutant("_core/sums/_angular.py", "(n * (n - 1)), min", "(n * n), min", f"{METRICS}/test_angles.py"),
    Mutant("_core/sums/_angular.py", "where((v @ mean < 0)[:, None], -v, v)", "v", f"{METRICS}/test_angles.py"),
    Mutant("_core/sums/_spectrum.py", "2 * zeta * (1 - zeta)", "zeta * (1 - zeta)", f"{METRICS}/test_isotropy.py"),
    Mutant("_core/sums/_spectrum.py", "1 / ranks\n", "0 * ranks + 1\n", f"{METRICS}/test_isotropy.py"),
    Mutant("_core/sums/_moments.py", "(before * other.n / n) ** 0.5", "0.0", f"{CORE}/test_moments.py"),
    Mutant("_core/sums/_blocks.py", "scatter = plus_squares(scatter, between, 1.0)", "pass", f"{CORE}/test_moments.py"),
    Mutant("_core/sums/_blocks.py", "plus_squares(scatter, slack, -1.0)", "scatter", f"{CORE}/test_moments.py"),
    Mutant("_core/sums/_rank.py", "self._exact, m = True,", "m =", f"{CORE}/test_rank.py"),
    Mutant(
        "_core/sums/_rank.py",
        "if not (self._exact or is_resolved",
        "if not (True or is_resolved",
        f"{CORE}/test_rank.py",
    ),
    Mutant(
        "_core/sums/_clusters.py", "sums[:, -1] - n * vecdot(slack, slack)", "sums[:, -1]", f"{CORE}/test_blocks.py"
    ),
    Mutant("_core/_threads.py", "copy_context().run, work", "work", f"{CORE}/test_threads.py"),
    Mutant(
        "_core/_tangent.py", "found[i] = point, n_iter + more,", "found[i] = point, n_iter,", "tests/test_devices.py"
    ),
    Mutant("_array.py", "out[:half, half:] = ", "", "tests/test_array.py"),
    Mutant("_core/sums/_align.py", "_MAX_PASSES = 3", "_MAX_PASSES = 2", "tests/alignment/test_least_squares.py"),
    Mutant("_core/sums/_align.py", "tie = u.T @ references[-1] @ v", "tie = u.T @ u", "tests/alignment"),
    Mutant("_core/sums/_align.py", "_UNDECIDED = 1e-8", "_UNDECIDED = 10.0", "tests/alignment/test_procrustes.py"),
    Mutant("_core/sums/_cross.py", "(self.n * other.n / (self.n + other.n)) ** 0.5", "0.0", f"{CORE}/test_cross.py"),
    Mutant("_core/pairs/_neighbours.py", "_ROUNDINGS = 4", "_ROUNDINGS = 0", f"{METRICS}/test_neighbours.py"),
    Mutant("_core/pairs/_neighbours.py", "_ROUNDINGS = 4", "_ROUNDINGS = 40", f"{METRICS}/test_neighbours.py"),
    Mutant("_core/pairs/_csls.py", "values - 2 + of_x", "values - 2 - of_x", f"{METRICS}/test_neighbours.py"),
    Mutant("_core/pairs/_silhouettes.py", "= copies[here]", "= 1", f"{CORE}/test_close_pairs.py"),
    Mutant("_core/_equal_rows.py", "block]) + 0.0)", "block]))", f"{CORE}/test_equal_rows.py"),
    Mutant("_core/pairs/_silhouettes.py", "fits = x.shape[0]", "fits = 0 * x.shape[0]", f"{METRICS}/test_clusters.py"),
    Mutant("_core/pairs/_tiles.py", "max(CLOSE, 1e4 * epsilon(like))", "0.0", f"{CORE}/test_close_pairs.py"),
    Mutant("_core/pairs/_tiles.py", "CLOSE = 1e-6", "CLOSE = 0.0", CORE),
    Mutant("_core/pairs/_sphere.py", "minus = _cut(minus)", "pass", CORE),
    Mutant("_core/pairs/_sphere.py", "<= 3.99", "<= 9", CORE),
    Mutant("_core/pairs/_energies.py", "gradient - sum_at(found.position, gradient)", "gradient", METRICS),
    Mutant("_core/pairs/_energies.py", "_SAFE_EXPONENT = 60.0", "_SAFE_EXPONENT = 1e9", CORE),
    Mutant("_core/pairs/_energies.py", "xp.clip(exponent, max=_SAFE_RISE) if least else", "", CORE),
    Mutant("_core/pairs/_energies.py", "if least and mean.ndim == 0:", "if False:", f"{CORE}/test_energies.py"),
    Mutant("_core/pairs/_energies.py", "float64(positive) if abs(s) > 1 else", "", f"{METRICS}/test_dispersion.py"),
    Mutant("_core/pairs/_sphere.py", "log(scaled) if scaled > 0 else -inf", "0.0", f"{CORE}/test_energies.py"),
    Mutant("metrics/_dispersion.py", "_MAX_SHARPNESS = 1e30", "_MAX_SHARPNESS = 1e40", f"{METRICS}/test_dispersion.py"),
    Mutant("_validation.py", "* exponent_of(peak(rows)) + exponent_of(total)", "* 0", "tests/alignment"),
    Mutant("_validation.py", "1e-30, 1e30)", "1e-60, 1e30)", f"{METRICS}/test_dispersion.py"),
    Mutant("_core/pairs/_energies.py", "(2 if i == j else 1))", "1)", f"{CORE}/test_energies.py"),
    Mutant(
        "_core/pairs/_quantiles.py", '(up_to, rank, side="right")', "(up_to, rank)", f"{METRICS}/test_dispersion.py"
    ),
    Mutant("_core/_objectives.py", "share = n - 2 * m.n", "share = n - m.n", f"{CORE}/test_objectives.py"),
    Mutant("_core/_objectives.py", "weights / where(d > 0, d, 1.0)", "weights", f"{CORE}/test_objectives.py"),
    Mutant("_core/_sliced.py", "pi / n * float64", "pi / (n - 1) * float64", f"{CORE}/test_sliced.py"),
    Mutant("_core/_two_clouds.py", "(2 if x is y and j != i else 1)", "1", f"{CORE}/test_two_clouds.py"),
    Mutant("_core/_two_clouds.py", "(counts + 0.5)", "(counts + 0.1)", "tests/metrics/test_gap.py"),
    Mutant("metrics/_checks.py", "slack = 1e-5", "slack = 1e-3", "tests/test_validation.py"),
    Mutant("metrics/_checks.py", "slack = 1e-5", "slack = 1e-9", "tests/test_validation.py"),
    Mutant(
        "metrics/_measure.py",
        "return value if is_foreign(value) else to_float(value)",
        "return to_float(value)",
        METRICS,
    ),
    Mutant("metrics/_dispersion.py", 'bounds=("-4 * t", "0")', 'bounds=("-3 * t", "0")', f"{METRICS}/test_measures.py"),
    Mutant("metrics/_isotropy.py", "min_samples=4, scale_free=True", "min_samples=2, scale_free=True", METRICS),
    Mutant("_cloud.py", "if key not in self._known:", "if not self._known:", "tests/test_cloud.py"),
    Mutant("_estimator.py", "minimum=least - 1", "minimum=1", PREPROCESSING),
    Mutant("_estimator.py", "self._check_magnitude(x)\n            return x", "return x", "tests/test_estimators.py"),
    Mutant("_validation.py", "min(bounds) > 0 and ", "", "tests/test_validation.py"),
    Mutant("_validation.py", "return summary(check(x))", "return summary(x)", "tests/test_validation.py"),
    Mutant("_validation.py", "max(minimum * (1 + 1e-9), 1 / _MOST_WEIGHT)", "0.0", "tests/test_validation.py"),
    Mutant(
        "preprocessing/_groups.py",
        "(check_known_groups(groups, n, self.groups_),)",
        "(check_groups(groups, n)[1],)",
        "tests/preprocessing/test_groups.py",
    ),
    Mutant(
        "multimodal/_double_ellipsoid.py", "_RISE = 0.1", "_RISE = 0.0", "tests/multimodal/test_double_ellipsoid.py"
    ),
    Mutant("multimodal/_gap_shift.py", "centres[0] - centres[-1]", "centres[-1] - centres[0]", "tests/multimodal"),
    Mutant(
        "multimodal/_zero_shot.py", "logits[:, 1] - logits[:, 0]", "logits[:, 0] - logits[:, 1]", "tests/multimodal"
    ),
    Mutant(
        "optim/_terms.py",
        "return -float(check_one",
        "return float(check_one",
        "tests/optim/test_embedding_optimizer.py",
    ),
    Mutant(
        "optim/_descent.py", "self.idle >= self.patience", "self.idle >= 1", "tests/optim/test_embedding_optimizer.py"
    ),
    Mutant("optim/_descent.py", "self._start + self.size > self", "self._start > self", "tests/optim"),
    Mutant(
        "optim/_riemannian.py",
        "- torch.sin(theta) * rows.u",
        "+ torch.sin(theta) * rows.u",
        "tests/optim/test_riemannian.py",
    ),
    Mutant("optim/_riemannian.py", "(1 - beta2**count)", "1", SPHERES),
    Mutant("_core/_threads.py", "part(done + i)", "part(i)", f"{CORE}/test_threads.py"),
    Mutant("_core/_threads.py", "max(matrix.shape) <= _SMALL", "max(matrix.shape) < 0", f"{CORE}/test_threads.py"),
    Mutant("_core/sums/_blocks.py", "a.scatter + b.scatter", "a.scatter", f"{CORE}/test_threads.py"),
    Mutant("_core/pairs/_tiles.py", "_FEW = 0.02", "_FEW = 0.0", f"{CORE}/test_close_pairs.py"),
    Mutant("_core/pairs/_neighbours.py", "kth - 16 * (d + 4)", "kth - 0 * (d + 4)", f"{CORE}/test_neighbours.py"),
    Mutant("_core/pairs/_neighbours.py", " + float(info.smallest_normal))", ")", f"{CORE}/test_neighbours.py"),
    Mutant("_core/pairs/_neighbours.py", "order[place <= k]", "order[place <= k + 1]", f"{CORE}/test_neighbours.py"),
    Mutant("_core/pairs/_neighbours.py", "return 4 * (d + 4)", "return 0 * (d + 4)", CORE),
    Mutant("_core/pairs/_quantiles.py", "(tile < edge)", "(tile <= edge)", f"{METRICS}/test_dispersion.py {CORE}"),
    Mutant("_validation.py", "if not starts_alike and", "if False and", "tests/test_transform_into.py"),
    Mutant("_core/_threads.py", "rooms.pop()", "rooms[0]", "tests/test_transform_into.py"),
    Mutant("_core/sums/_align.py", "= 2.0**-12", "= 2.0**-40", "tests/alignment/test_procrustes.py"),
    Mutant(
        "preprocessing/_shared_moments.py",
        "values.shape, values.strides",
        "values.shape",
        f"{PREPROCESSING}/test_shared_moments.py",
    ),
    Mutant(
        "preprocessing/_shared_moments.py",
        "_Rows(key.values.copy())",
        "_Rows(key.values)",
        f"{PREPROCESSING}/test_shared_moments.py",
    ),
    Mutant(
        "preprocessing/_shared_moments.py",
        "while excess > 0",
        "while excess > 1e18",
        f"{PREPROCESSING}/test_shared_moments.py",
    ),
    Mutant("_core/sums/_rank.py", "_SPACINGS = 32", "_SPACINGS = 1", f"{CORE}/test_rank.py"),
    Mutant("_core/sums/_rank.py", "_SPACINGS = 32", "_SPACINGS = 4000", f"{CORE}/test_rank.py"),
    Mutant(
        "_core/sums/_rank.py", "xp.maximum(entries, _median_of_positive(entries))", "entries", f"{CORE}/test_rank.py"
    ),
    Mutant(
        "_core/sums/_digits.py",
        "SINGLE_DIGITS if on_a_grid else self.significant",
        "self.significant",
        f"{CORE}/test_rank.py {METRICS}",
    ),
    Mutant(
        "_core/sums/_rank.py",
        "m.second.n > 1 and float32_suffices(nearby(m).second)",
        "True",
        f"{CORE}/test_rank.py",
    ),
    Mutant("_core/sums/_rank.py", "2.0**-10\n", "2.0**-30\n", f"{CORE}/test_rank.py"),
    Mutant("_core/sums/_rank.py", "TELLABLE = 16 * 2.0**-52", "TELLABLE = 0.0", f"{CORE}/test_rank.py"),
    Mutant("_core/sums/_blocks.py", "ones @ centred", "xp.sum(centred, axis=0)", f"{CORE}/test_rank.py"),
    Mutant(
        "_core/sums/_maps.py",
        "return once - centred_product(once, seen_from - mean, directions.T) @ u",
        "return once",
        CORE,
    ),
    Mutant(
        "_array.py", "torch.autocast(kind, enabled=False)", "torch.autocast(kind)", f"{METRICS}/test_training_loops.py"
    ),
    Mutant("_warnings.py", '"sklearn", "joblib"', '"sklearn"', "tests/test_warnings.py"),
    Mutant("_estimator.py", "fitted = twin_of(self)", "fitted = self", "tests/test_all_at_once.py"),
    Mutant("metrics/_representation.py", "and _are_those_at_fit(estimator, rows, made)", "", SCORERS),
    Mutant("metrics/_representation.py", "if len(inner) > 1:", "if len(inner) > 99:", SCORERS),
    Mutant(
        "metrics/_representation.py",
        "or not ends_in_regressor(estimator)",
        "or True",
        SCORERS,
    ),
    Mutant("preprocessing/_all_but_the_top.py", "rank(near.second, found.variances)", "count", PREPROCESSING),
    Mutant("preprocessing/_whitening.py", "_ROWS_PER_DIRECTION = 3", "_ROWS_PER_DIRECTION = 1", PREPROCESSING),
    Mutant("optim/_descent.py", "if self.done == 0:", "if True:", LONG_FITS),
    Mutant("optim/_monitors.py", "if name not in self._failed:", "if True:", LONG_FITS),
    Mutant("optim/_monitors.py", "[self._seed, iteration]", "[self._seed]", SAMPLES),
    Mutant("optim/_monitors.py", "(1 - self._size / n)", "1", SAMPLES),
    Mutant("optim/_monitors.py", 'and "debias" in row.settings', "and False", SAMPLES),
    Mutant("optim/_heads.py", "linear(rows - origin, 2 * p", "linear(rows - origin, p", HEADS),
    Mutant("optim/_heads.py", "torch.set_rng_state(generator.get_state())", "pass", HEADS),
    Mutant("optim/_descent.py", '_copy(state["buffers"], self.buffers)', "pass", HEADS),
    Mutant(
        "optim/_interrupts.py",
        "{} if ignored else {signal.SIGTERM: interrupt}",
        "{signal.SIGTERM: interrupt}",
        LONG_FITS,
    ),
    Mutant("optim/_checkpoint.py", "if others:", "if False:", LONG_FITS),
    Mutant("model_selection/_trial.py", "fold[inverse]", "fold[inverse][::-1]", JUDGES),
    Mutant("model_selection/_trial.py", "side[fold.order[:n]].mean(axis=0)", "side.mean(axis=0)", JUDGES),
    Mutant(
        "model_selection/_transforms.py",
        "clone(estimator).fit(*rows)",
        "clone(estimator).fit(*(r[:5] for r in rows))",
        JUDGES,
    ),
    Mutant("model_selection/_trial.py", "count_nonzero(turns > 1)", "count_nonzero(turns)", JUDGES),
    Mutant("model_selection/_trial.py", "(share * jackknife", "(jackknife", JUDGES),
    Mutant("model_selection/_trial.py", "one.scores - results[0].scores", "one.scores", JUDGES),
    Mutant("model_selection/_intervals.py", "(scale if errors is None else errors)", "scale", JUDGES),
    Mutant("model_selection/_intervals.py", "standard.max(axis=1)", "standard[:, -1]", INTERVALS),
    Mutant(
        "model_selection/_intervals.py",
        "draws[:, groups]",
        "draws[:, np.arange(fold.size) % (groups.max() + 1)]",
        INTERVALS,
    ),
    Mutant("_core/_correlation.py", "(sizes - 1) / 2", "sizes / 2", "tests/core/test_correlation.py"),
    Mutant("_core/_correlation.py", "> _ROUNDING", "> 0", "tests/core/test_correlation.py"),
    Mutant(
        "_core/pairs/_graded.py",
        "share = (together - 1)",
        "share = 0 * (together - 1)",
        "tests/metrics/test_ranking.py",
    ),
    Mutant("_core/pairs/_graded.py", "place <= k", "place < k", "tests/metrics/test_ranking.py"),
    Mutant("_core/sums/_spectrum.py", "sorted((n - 1, d))", "sorted((n, d))[::-1]", f"{PICTURES}/test_spectrum.py"),
    Mutant(
        "inspection/_spectrum.py",
        "np.cumsum(self.shares) * (1 + _ROUNDING)",
        "self.shares",
        f"{PICTURES}/test_spectrum.py",
    ),
    Mutant("inspection/_space.py", "m if center else m.about_origin()", "m", f"{PICTURES}/test_space.py"),
    Mutant("inspection/_space.py", "origin=-shift @ plane.T", "origin=shift @ plane.T", f"{PICTURES}/test_space.py"),
    Mutant(
        "inspection/_similarity.py",
        "Y is None or ends_in_regressor(estimator)",
        "Y is None",
        f"{PICTURES}/test_similarity.py",
    ),
    Mutant(
        "inspection/_similarity.py", "(n_features - 1) / 2) ** 0.5", "n_features / 2)", f"{PICTURES}/test_similarity.py"
    ),
    Mutant("inspection/_silhouette.py", "middle - values.size / 2 +", "middle +", f"{PICTURES}/test_silhouette.py"),
    Mutant("inspection/_trajectory.py", "_NORMAL * self.errors", "self.errors", f"{PICTURES}/test_trajectory.py"),
    Mutant("inspection/_whitening_path.py", "scores + margins", "scores", f"{PICTURES}/test_whitening_path.py"),
    Mutant("inspection/_frontier.py", "[np.argsort(self.isoscore[best])]", "", f"{PICTURES}/test_frontier.py"),
    Mutant(
        "inspection/_offset.py",
        "np.argmin(np.where(known, values, np.inf))",
        "np.argmin(values[known])",
        f"{PICTURES}/test_offset.py",
    ),
    Mutant("inspection/_sphere.py", "(1 - within) ** (n - 1)", "(1 - within) ** n / 2", f"{PICTURES}/test_sphere.py"),
    Mutant(
        "inspection/_comparison.py", "self.pvalues <= self.alpha", "self.pvalues > -1", f"{PICTURES}/test_comparison.py"
    ),
    Mutant("inspection/_hubs.py", "binom.sf(counts - 1,", "binom.sf(counts,", f"{PICTURES}/test_hubs.py"),
    Mutant("inspection/_display.py", "artist in _drawn for", "artist not in _drawn for", f"{PICTURES}/test_display.py"),
    Mutant("report/_page.py", "escape(printable(value))", "printable(value)", PAGE),
    Mutant("report/_page.py", "* (value - low) / width", "* value / width", PAGE),
    Mutant("report/_figure.py", "return prefix + value", "return value", PAGE),
    Mutant("report/_figure.py", "url(#{prefix}\\1)", "url(#\\1)", PAGE),
    Mutant("report/_figure.py", 'replace("$", r"\\$")', 'replace("", "")', PAGE),
    Mutant("report/_text.py", "c.isprintable() or", "True or", "tests/report/test_command.py"),
    Mutant(
        "model_selection/_probe.py", "_TOLERANCE = 1e-4", "_TOLERANCE = 1e-2", "tests/model_selection/test_probe.py"
    ),
    Mutant("model_selection/_probe.py", "ridge / hessian, 0.0", "ridge, 0.0", "tests/model_selection/test_probe.py"),
    Mutant("datasets/_files/_tables.py", "{start + ragged[0] // n_per_row}", "{ragged[0] // n_per_row}", FILES),
    Mutant("datasets/_files/_tables.py", "if not found and not announced:", "if False:", FILES),
    Mutant("datasets/_files/_tables.py", "if batch is None:", "if False:", FILES),
    Mutant("datasets/_files/_delimited.py", "if all(str(kind)", "if False and all(str(kind)", FILES),
    Mutant("datasets/_files/_door.py", "check_not_empty(path, found.data)", "pass", FILES),
    Mutant("datasets/_files/_blocks.py", "check_not_empty(name, source)", "pass", FILES),
    Mutant("datasets/_files/_rows.py", "np.result_type(array, block)", "array.dtype", FILES),
    Mutant("_validation.py", "raise _vectors_in_cells(X, name) or error", "raise error", "tests/test_validation.py"),
    Mutant(
        "datasets/_files/_arrays.py",
        "while shape == header.shape and file.read",
        "while file.closed and file.read",
        FILES,
    ),
    Mutant("datasets/_files/_arrays.py", "> _MAX_CODE_POINT", "> _MAX_CODE_POINT << 12", FILES),
    Mutant(
        "datasets/_files/_arrays.py", "if there < header.n_bytes:\n        raise", "if False:\n        raise", FILES
    ),
    Mutant("datasets/_files/_choice.py", "if not gaps and", "if", FILES),
    Mutant(
        "datasets/_files/_choice.py", "not (e.kind == INTEGERS or _is_no_feature(e.name))", "e.kind == OTHER", FILES
    ),
    Mutant("datasets/_files/_choice.py", "len(texts) == 1 and not numbers", "len(texts) == 1", FILES),
    Mutant("datasets/_files/_formats.py", "not in (None, EINVAL)", "is not None", FILES),
    Mutant("datasets/_files/_formats.py", "_saved_dataset(path) or", "", FILES),
    Mutant("datasets/_files/_formats.py", "int(part) if i % 2 else part", "part", FILES),
    Mutant("datasets/_files/_tables.py", "batch.column(name).validate(full=True)", "pass", FILES),
    Mutant("datasets/_files/_tables.py", "_BATCH_ROWS = 2_048", "_BATCH_ROWS = 1 << 30", FILES),
    Mutant("datasets/_files/_text.py", "2 * more > len(probe) > 1", "False", FILES),
    Mutant("datasets/_files/_text.py", "return width - 1", "return width", FILES),
    Mutant("datasets/_files/_delimited.py", "if have_points or", "if", FILES),
    Mutant("datasets/_files/_delimited.py", "if any(map(NUMBER.fullmatch, cells)):", "if False:", FILES),
    Mutant("datasets/_files/_delimited.py", " or are_vectors([cell])", "", FILES),
    Mutant("datasets/_files/_tables.py", "and not any(map(_COMMA_AND_OTHER.search, texts))", "", FILES),
    Mutant("datasets/_files/_json.py", "if len(self._buffer) - self._place < _CHUNK:", "if not self._buffer:", FILES),
    Mutant("datasets/_files/_text.py", "return word[:-1], numbers", "return word, numbers", FILES),
    Mutant("datasets/_files/_text.py", "if len(rest) > MAX_LINE:", "if False:", FILES),
    Mutant("datasets/_files/_text.py", "0 < 2 * n <= announced", "0 < n <= announced", FILES),
    Mutant("multimodal/_offset.py", 'move in (name, "both")', "move == name", ELLIPSOID),
    Mutant("metrics/_gap.py", "conformity_to(x, resultant(others))", "conformity(x)", f"{METRICS}/test_gap.py"),
    Mutant("_core/pairs/_cosines.py", "% n_partners", "% (n_partners - 1)", PAIRS),
    Mutant("_core/pairs/_cosines.py", "np.minimum(width, _NEAR * (1 - cosines))", "width", CALIBRATION),
    Mutant("_core/pairs/_cosines.py", "width = self.spread * max", "width = max", CALIBRATION),
    Mutant("_core/pairs/_cosines.py", "max(EQUAL, _ROUNDINGS * self.epsilon)", "EQUAL", CALIBRATION),
    Mutant("_core/pairs/_cosines.py", "-self.equal.lowest(cosines)", "-cosines", CALIBRATION),
    Mutant("_core/pairs/_cosines.py", "apart = 1 if copies.size else apart + 1", "break", f"{CORE}/test_cosines.py"),
    Mutant("calibration/_cosine_calibrator.py", "ties.lowest(to_numpy(cosines))", "to_numpy(cosines)", CALIBRATION),
    Mutant("calibration/_cosine_calibrator.py", "ties.merged(to_numpy(found))", "to_numpy(found)", CALIBRATION),
    Mutant("metrics/_similarity.py", "np.sort(np.unique(drawn, return_index=True)[1])", "np.argsort(drawn)", PAIRS),
    Mutant("_core/_sliced.py", "rows)[None, :] / 2", "rows)[None, :]", f"{CORE}/test_sliced.py"),
    Mutant("_core/_tangent.py", "where(found > _ONE_POINT, found, 0.0)", "found", DISTANCES),
    Mutant("_core/_tangent.py", "self.concentration >= _SHORTEST_MEAN", "True", DISTANCES),
    Mutant("metrics/_clusters.py", "< space.reach - _OPPOSITE", "< 9", DISTANCES),
    Mutant("metrics/_clusters.py", 'distances / 2 if metric == "cosine" else distances', "distances", DISTANCES),
    Mutant(
        "preprocessing/_groups.py",
        "means = [mean_at(x, np.flatnonzero(codes == g))",
        "means = [mean_at(x, np.flatnonzero(codes >= g))",
        "tests/preprocessing/test_groups.py",
    ),
    Mutant(
        "_core/_permutation.py", "4 * (n**4 - 8 * n**3 + 19 * n**2 - 4 * n - 16) * a.cubes", "4 * a.cubes", COMPARISON
    ),
    Mutant("_core/_permutation.py", "h0 = h - a * (q - t * t / n)", "h0 = h", COMPARISON),
    Mutant("_core/_jackknife.py", "(pseudo - corrected) / (h - 1)", "(pseudo - corrected) / (h - 1) ** 0.5", JACKKNIFE),
    Mutant("_core/_jackknife.py", "np.sum(pseudo / h)", "np.mean(pseudo)", JACKKNIFE),
    Mutant("_core/_jackknife.py", "-sizes[order]", "sizes[order]", JACKKNIFE),
    Mutant("_core/sums/_moments.py", "(self.whole.n * self.part.n / self.n) ** 0.5", "0.0", JACKKNIFE),
    Mutant("_core/sums/_moments.py", "vecdot(s, s) ** 2", "vecdot(s, s)", JACKKNIFE),
    Mutant("_core/sums/_moments.py", "_LEAST_REST = 1 / 64", "_LEAST_REST = 0.0", JACKKNIFE),
    Mutant("_core/_rows.py", "index[start : start + step] for", "index[start : start + step - 1] for", JACKKNIFE),
    Mutant("_core/pairs/_between_blocks.py", "rest[..., block, block] = 0.0", "pass", LEFT_OUT),
    Mutant("_core/pairs/_between_blocks.py", "if mirrored and i != j:", "if mirrored:", LEFT_OUT),
    Mutant("_core/pairs/_energies.py", "sums[:0:-1]", "sums[::-1][1:]", LEFT_OUT),
    Mutant("_core/pairs/_energies.py", "part[codes != block].mean()", "part.mean()", LEFT_OUT),
    Mutant("_core/pairs/_quantiles.py", "if not lacking.any():", "if not lacking[0]:", LEFT_OUT),
    Mutant("_core/pairs/_quantiles.py", "places - np.arange(places.size)", "places", LEFT_OUT),
    Mutant(
        "_core/pairs/_sigreg.py",
        "ownership = 0.0 if debiased else 1 / n",
        "ownership = 0.0",
        f"{METRICS}/test_sigreg.py",
    ),
    Mutant("_core/_two_clouds.py", "mirrored=x is y)", "mirrored=False)", LEFT_OUT),
    Mutant("_core/_two_clouds.py", "paired + 1 - cosines / 2", "paired + 1 - cosines", f"{METRICS}/test_gap.py"),
    Mutant("metrics/_contrast.py", "if labels is not None or codes.size", "if codes.size", LEFT_OUT),
    Mutant("metrics/_angles.py", "None if reference or options else", "", ESTIMATES),
    Mutant("report/_command.py", "_suffix_of(start, _FORMATS) or usual", "usual", "tests/report/test_command.py"),
    Mutant("_core/pairs/_silhouettes.py", "here = blocks != block", "here = blocks >= 0", ESTIMATES),
    Mutant("_core/pairs/_neighbours.py", "(whole - gone)[:, codes != block]", "whole[:, codes != block]", ESTIMATES),
    Mutant("_core/pairs/_energies.py", "second, first)[codes != one]", "first, first)[codes != one]", LEFT_OUT),
    Mutant("_core/pairs/_left_out.py", "lists.near[:, -1] > lists.high", "lists.near[:, -1] >= lists.low", LEFT_OUT),
    Mutant("_core/pairs/_left_out.py", "np.argsort(index == rows[:, None]", "np.argsort(0 * index", LEFT_OUT),
    Mutant("_core/pairs/_left_out.py", "return None if rows.size else total", "return total", LEFT_OUT),
    Mutant("_core/pairs/_neighbours.py", "weights(block, k) * (own != block)", "weights(block, k)", LEFT_OUT),
    Mutant("comparison/_overlap.py", "both[own != block].sum()", "both.sum()", LEFT_OUT),
    Mutant("metrics/_estimate.py", "abs(bias) > 2 * error and", "False and", ESTIMATES),
    Mutant("metrics/_estimate.py", "and groups is None)", ")", ESTIMATES),
    Mutant("_validation.py", "digits=digits)", "digits=digits._replace(significant=53))", f"{CORE}/test_rank.py"),
    Mutant("_core/_permutation.py", "_MOST_CONCENTRATED = 0.25", "_MOST_CONCENTRATED = 1e9", COMPARISON),
    Mutant("_core/sums/_spaces.py", "- 2 / (n - 2) * lengths", "- 1 / (n - 2) * lengths", COMPARISON),
    Mutant("_core/sums/_spaces.py", "squared - own**2", "squared", f"{CORE}/test_spaces.py"),
    Mutant("comparison/_overlap.py", "(k - n_nearer) / np.maximum(n_tied, 1)", "1.0 + 0 * n_tied", COMPARISON),
    Mutant("comparison/_overlap.py", "tied[:, -1] & (width < n - 1)", "tied[:, -1] & False", COMPARISON),
    Mutant("comparison/_clouds.py", "np.arange(len(pvalues), 0, -1)", "len(pvalues)", CLOUDS),
    Mutant("comparison/_clouds.py", "most // (len(sizes) - place)", "most // len(sizes)", CLOUDS),
    Mutant("comparison/_parts.py", "max(third, 0.0) / variance", "0.0 / variance", CLOUDS),
    Mutant("comparison/_parts.py", "[self.three[i, i, j], trace * plain[i, j]]", "[self.three[i, i, j], 0.0]", CLOUDS),
    Mutant("comparison/_parts.py", "m * m / ((m - 1) * (m + 2))", "1.0", CLOUDS),
    Mutant("comparison/_parts.py", "1 + 2 * (k - 2) * slack", "1.0", CLOUDS),
    Mutant("comparison/_parts.py", "axis=0) / n for", "axis=0) for", CLOUDS),
    Mutant("comparison/_parts.py", "similarities /= np.multiply.outer(counts, counts)", "pass", CLOUDS),
    Mutant("comparison/_sides.py", "between.sum() / (n * (n - 1))", "0.0", CLOUDS),
    Mutant("summary/_summary.py", "min(self.max_rows, other.max_rows)", "self.max_rows + other.max_rows", CLOUDS),
    Mutant("summary/_summary.py", "self.max_rows if is_whole and is_told else len(keys)", "self.max_rows", SUMMARY),
    Mutant("summary/_summary.py", "-_ROUNDING * of_whole", "-of_whole", SUMMARY),
    Mutant("_core/sums/_digits.py", "min(grid))", "max(grid))", SUMMARY),
    Mutant("_core/sums/_digits.py", "[1] - max(HALF_DIGITS)", "[1] - min(HALF_DIGITS)", f"{CORE}/test_rank.py"),
    Mutant("comparison/_sides.py", "quartic * n / (n - 2)", "quartic", CLOUDS),
    Mutant("comparison/_drift.py", "[seed, seen]", "[seed, 0]", DRIFT),
    Mutant(
        "comparison/_parts.py", "max(p_value(null, value), self._p_value_by_f(", "min(2.0, self._p_value_by_f(", CLOUDS
    ),
    Mutant("comparison/_parts.py", "if n.min() < _FEW:", "if False:", CLOUDS),
    Mutant("comparison/_parts.py", "max(pvalue, self._p_value_by_orders", "max(0.0, self._p_value_by_orders", CLOUDS),
    Mutant("comparison/_parts.py", "max(pvalue, by_orders) if", "pvalue if", CLOUDS),
    Mutant("comparison/_parts.py", "rest if k == last else products @ member", "0 * member", CLOUDS),
    Mutant("comparison/_parts.py", "distances[distances <= _ROUNDING * both] = 0.0", "pass", CLOUDS),
    Mutant("comparison/_parts.py", "reached == 1 and drawn < MOST_ORDERS", "drawn == 1", DRIFT),
    Mutant("comparison/_drift.py", "moved(self.alpha / self.n_batches)", "moved(self.alpha)", DRIFT),
    Mutant("_core/_permutation.py", "+ 2 * np.sum(n_k * own**3)", "", CLOUDS),
    Mutant("comparison/_relation.py", "rows[units] = units[order]", "rows[units] = units", COMPARISON),
    Mutant("comparison/_relation.py", "(n_beyond + drawn) / (n_orders + drawn)", "n_beyond / n_orders", COMPARISON),
    Mutant("_array.py", "    if is_dask(x):", "    if False:", DASK),
    Mutant("_cloud.py", "of_chunk(*chunk) if n else None", "of_chunk(*chunk)", DASK),
    Mutant("_cloud.py", "if n < min_samples:", "if n < 0:", DASK),
    Mutant("_validation.py", "    if part:\n        check_fourth_powers(x, name)", "    if False:\n        pass", DASK),
    Mutant("_validation.py", "1) if part else (name, min_samples)", "2) if part else (name, min_samples)", DASK),
    Mutant("_validation.py", "if isinstance(cloud, Chunks):", "if False:", DASK),
    Mutant(
        "_core/sums/_moments.py",
        "self.digits.merge(*(m.digits for m in others)), scatter",
        "self.digits, scatter",
        f"{CORE}/test_rank.py",
    ),
    Mutant("_dask.py", "return other.rechunk({0: first.chunks[0]})", "return other", DASK),
    Mutant("_dask.py", "/ (2 * x.shape[1])", "", DASK),
    Mutant("_dask.py", "if x.ndim == 2 and (x.numblocks[1] != 1", "if x.ndim == 2 and (False", DASK),
    Mutant("_estimator.py", 'for name in ("feature_names_in_", "_moments"):', "for name in ():", DASK),
    Mutant("_estimator.py", "    if not len(rows):", "    if False:", DASK),
    Mutant("_estimator.py", "        _check_leaves_as_it_came(self)", "        pass", DASK),
    Mutant("summary/_summary.py", "rng.integers(2**63, size=len(chunks))", "np.zeros(len(chunks), int)", DASK),
    Mutant("_core/_threads.py", "or _is_one_of_many.get() else", "else", f"{CORE}/test_threads.py"),
    Mutant("_core/_threads.py", " and not _is_one_of_many.get()", "", f"{CORE}/test_threads.py"),
    Mutant("_cloud.py", "if x.shape[1] != like.shape[1] or not same_kind(x, like):", "if False:", BLOCKS),
    Mutant("_cloud.py", "if total is None or n < min_samples:", "if total is None:", BLOCKS),
    Mutant("datasets/_files/_blocks.py", "if part.shape[1] != first:", "if False:", FILES),
    Mutant("datasets/_files/_blocks.py", "height * -(-BLOCK_ROWS // height)", "BLOCK_ROWS", FILES),
    Mutant("datasets/_files/_tables.py", "in reversed(levels[:depth])", "in ()", FILES),
    Mutant("_whole_file.py", 'path.with_name(f"{path.name}.{os.getpid()}.{get_ident()}{_PARTIAL}")', "path", WRITTEN),
    Mutant("_whole_file.py", "if block.dtype != dtype:", "if False:", WRITTEN),
    Mutant("_whole_file.py", "error.filename = str(path)", "pass", WRITTEN),
    Mutant("_whole_file.py", "_write_header(file, dtype, n, width)", "pass", WRITTEN),
    Mutant("_core/sums/_spectrum.py", "m.singular_values() if wants_gradient(m.mean) else ", "", "tests/test_cloud.py"),
    Mutant(
        "_cloud.py", "lambda: reduce(lambda a, b: a.merge(b), parts)", "lambda: next(parts)", "tests/test_devices.py"
    ),
    Mutant("_estimator.py", "if len(side) != len(x):", "if False:", WRITTEN),
]


def survives(mutant: Mutant) -> bool:
    """Return whether the tests pass with the wrong line in place."""
    path = ROOT / "skgeom" / mutant.file
    source = path.read_text(encoding="utf-8")
    try:
        path.write_text(source.replace(mutant.line, mutant.wrong, 1), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *mutant.tests.split()]
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0
    finally:
        path.write_text(source, encoding="utf-8")


def main(names: list[str]) -> None:
    """Check that the line of each mutant is there; try the mutants of the files named, or all."""
    stale = [m for m in MUTANTS if m.line not in (ROOT / "skgeom" / m.file).read_text(encoding="utf-8")]
    if stale:
        sys.exit("\n".join(f"{m.file} has no {m.line!r} any more: write the mutant anew." for m in stale))
    if names == ["--check"]:
        return
    chosen = [m for m in MUTANTS if not names or any(name in m.file for name in names)]
    alive = []
    for mutant in chosen:
        if survives(mutant):
            alive.append(mutant)
            print(f"survives: {mutant.file}: {mutant.line!r} -> {mutant.wrong!r} ({mutant.tests})", flush=True)
    print(f"{len(chosen) - len(alive)} of {len(chosen)} mutants were noticed.")


if __name__ == "__main__":
    main(sys.argv[1:])
