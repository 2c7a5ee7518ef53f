"""Checks of the arguments of the optimisers: objectives, y, pairs, parameters on spheres."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from skgeom._array import float64, is_foreign, is_sparse, namespace, to_numpy
from skgeom._core._rows import norms
from skgeom._typing import Array, ForeignT
from skgeom._validation import check_choice, check_count, check_positions, check_real, listed


def check_named(values: Any, names: Iterable[str], what: str) -> list[Any]:
    """Return a name or a callable, or several of them, as a list.

    Raises
    ------
    TypeError
        If an entry is neither a name nor a callable.
    ValueError
        If a name is unknown, or an entry occurs twice.
    """
    given = list(values) if isinstance(values, list | tuple | dict) else [values]
    for value in given:
        if not isinstance(value, str) and not callable(value):
            raise TypeError(f"{what} must be a name or a callable, got {value!r}.")
        if isinstance(value, str):
            check_choice(value, names, what)
    if len(set(given)) < len(given):
        raise ValueError(f"{what} has the same entry twice: {listed(given)}. Pass each entry once.")
    return given


def check_terms(objective: Any, names: Iterable[str]) -> list[tuple[Any, float | None]]:
    """Return the names and callables of an objective with their weights; the weight is None unless it is a dict.

    Raises
    ------
    TypeError
        If a term is neither a name nor a callable, or a weight is not a number.
    ValueError
        If terms are missing, a name is unknown, or a weight is not finite.
    """
    if isinstance(objective, dict) and not objective:
        raise ValueError("objective is an empty dict: pass at least one term and its weight.")
    if isinstance(objective, list | tuple):
        raise TypeError(f"objective must be a name, a callable or a dict of weights, got {objective!r}.")
    terms = check_named(objective, names, "objective")
    if not isinstance(objective, dict):
        return [(terms[0], None)]
    return [(term, check_real(objective[term], f"The weight of {term!r}")) for term in terms]


def check_head(head: Any, names: Iterable[str], fit_intercept: bool) -> None:
    """Check that a head is a name or a function that makes one, and that only a linear head has no intercept.

    Raises
    ------
    TypeError
        If it is neither a name nor a callable.
    ValueError
        If the name is unknown, or ``fit_intercept=False`` goes with another head than the linear one.
    """
    if isinstance(head, str):
        check_choice(head, names, "head")
    elif not callable(head) or (hasattr(head, "state_dict") and not isinstance(head, type)):
        raise TypeError(
            f"head must be {listed(list(names))} or a callable (n_features, n_outputs) -> Module, got {head!r}."
        )
    if head != "linear" and not fit_intercept:
        raise ValueError(f"fit_intercept=False is for the linear head, got head={head!r}: leave it out.")


def check_head_losses(head: Any, losses: Iterable[str]) -> None:
    """Check that an objective trains the head, and one class per row if the head compares distances."""
    losses = list(losses)
    if head != "linear" and not losses:
        raise ValueError(
            f"head={head!r} is trained by 'cross_entropy' or 'binary_cross_entropy', and the objective has neither: "
            "add one, or leave head out."
        )
    if head == "distance" and "binary_cross_entropy" in losses:
        raise ValueError(
            "head='distance' is for 'cross_entropy', which compares the distances to the prototypes; "
            "'binary_cross_entropy' judges each label alone: use the linear head, or a callable."
        )


def check_module(module: Any, kind: type) -> None:
    """Check that a head made a module."""
    if not isinstance(module, kind):
        raise TypeError(
            f"head must be a function (n_features, n_outputs) that returns a torch.nn.Module, got {module!r}."
        )


def same_state(module: Any, earlier: Any) -> None:
    """Load the state of the module of the previous fit.

    Raises
    ------
    ValueError
        If the two do not have the same parameters.
    """
    try:
        module.load_state_dict(earlier.state_dict())
    except RuntimeError as error:
        raise ValueError(
            "warm_start=True continues from head_, whose parameters are not those of the head for these data: pass as "
            f"many features and classes as before, or set warm_start=False. ({error})"
        ) from error


def check_outputs(outputs: Any, shape: tuple[int, int]) -> None:
    """Check the shape of the output of a head."""
    found = tuple(getattr(outputs, "shape", ()))
    if found != shape:
        raise ValueError(f"The head must return outputs (n_rows, n_outputs) = {shape}, got {found or type(outputs)}.")


def check_number(value: Any, name: str) -> float:
    """Return what a function of the user returned as a float.

    Raises
    ------
    TypeError
        If it is not one number.
    """
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        got = f"shape {tuple(value.shape)}" if hasattr(value, "shape") else repr(value)
        raise TypeError(f"{name} must return one number, got {got}: return its mean, for example.") from error


def check_score(score: Any, names: Iterable[str]) -> None:
    """Check that a score is a known name or a function."""
    if isinstance(score, str):
        check_choice(score, names, "score")
    elif not callable(score):
        raise TypeError(f"score must be a name or a callable f(embedding, y), got {score!r}.")


def check_pair(values: Any, name: str, expected: str) -> tuple[Any, Any]:
    """Return two values from a tuple or a list."""
    is_sequence = isinstance(values, tuple | list)
    if not is_sequence or len(values) != 2:
        got = f"{len(values)} values" if is_sequence else type(values).__name__
        raise TypeError(f"{name} must be a tuple {expected}, got {got}.")
    return values[0], values[1]


def check_takes_new_rows(parametrization: str) -> None:
    """Check that an optimiser can map new rows."""
    if parametrization != "linear":
        raise ValueError(
            f'test needs an estimator with parametrization="linear", which maps new rows, got {parametrization!r}.'
        )


def check_test_width(x: Array, n_features: int) -> None:
    """Check, before any fit, that held-out rows have the features of those of the fit."""
    if x.shape[1] != n_features:
        raise ValueError(f"X_test has {x.shape[1]} features, but X has {n_features}: pass rows of the same space.")


def check_without_isoscore(terms: Iterable[Any]) -> None:
    """Check that an objective leaves the weight of IsoScore to the weights of the frontier."""
    if "isoscore" in terms:
        raise ValueError("weights are the weights of 'isoscore', which the objective has too: leave it out there.")


def check_gradient(value: Any, name: str) -> None:
    """Check that the value of an objective is a 0-d tensor with a gradient."""
    if not hasattr(value, "requires_grad") or value.ndim:
        got = f"a tensor of shape {tuple(value.shape)}" if hasattr(value, "requires_grad") else repr(value)
        raise TypeError(f"The objective {name!r} must return a 0-d tensor, got {got}: take its mean or sum.")
    if not value.requires_grad:
        raise ValueError(
            f"The value of the objective {name!r} has no gradient: compute it from the rows with operations of Torch, "
            "without detach() or float()."
        )


def check_one_direction(direction: int, name: str) -> int:
    """Return the direction in which a measure is better, +1 or -1.

    Raises
    ------
    ValueError
        If neither direction is better.
    """
    if not direction:
        raise ValueError(
            f"{name!r} has no better direction, so it cannot be an objective alone: pass a dict with its weight, "
            f"{{{name!r}: 1.0}} to lower it and {{{name!r}: -1.0}} to raise it."
        )
    return direction


def check_supervised(y: Any, needed_by: Iterable[str]) -> None:
    """Check that y is given if an objective needs it."""
    needed_by = list(needed_by)
    if y is None and needed_by:
        raise ValueError(
            "This estimator requires y to be passed, but the target y is None: "
            f"{listed(needed_by)} cannot be computed without it. Pass y, or an objective that does not need it."
        )


def check_one_kind_of_y(needed_by: Iterable[str]) -> None:
    """Check that all objectives that need y need the same kind, given one objective per kind."""
    needed_by = list(needed_by)
    if len(needed_by) > 1:
        raise ValueError(
            f"The objectives {listed(needed_by)} need different kinds of y (class labels, a multi-label indicator or "
            "target embeddings), and there is only one y: leave out all but one."
        )


def check_several_classes(classes: np.ndarray) -> None:
    """Check that there are at least two classes."""
    if classes.size < 2:
        raise ValueError(
            f"y has only one class, {classes.tolist()[0]!r}, but classifiers and measures of labelled rows need at "
            "least two. Pass rows of several classes, or, with an objective that needs no labels, no y."
        )


def check_indicator(y: Any, n: int) -> np.ndarray:
    """Return y as a multi-label indicator (n, k) of zeros and ones in float64.

    Raises
    ------
    TypeError
        If y is sparse.
    ValueError
        If y is not a matrix of n rows of zeros and ones.
    """
    if (is_foreign(y) and is_sparse(y)) or hasattr(y, "toarray"):
        raise TypeError("Sparse data was passed as y, but a dense indicator is required: pass y.toarray().")
    values = np.asarray(to_numpy(y) if is_foreign(y) else y)
    if values.ndim != 2:
        raise ValueError(
            f"y has shape {values.shape}, expected a multi-label indicator (n_samples, n_labels) of zeros and ones. "
            "sklearn.preprocessing.MultiLabelBinarizer makes one from lists of labels; for a flat y of two classes "
            "pass y.reshape(-1, 1)."
        )
    if values.shape[0] != n:
        raise ValueError(f"y has {values.shape[0]} rows, expected {n}: pass one per row of X, or one per pair.")
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise ValueError("y is not a multi-label indicator: it must contain only zeros and ones.")
    return values.astype(np.float64)


def check_pair_rows(pairs: Any, n: int) -> np.ndarray:
    """Return pairs of positions among n rows, or single ones, as an array (m, 2) or (m, 1) of int64.

    Raises
    ------
    TypeError
        If they are not integers.
    ValueError
        If the shape is not one of these with m of at least 1, or a position is out of range.
    """
    given = np.asarray(to_numpy(pairs) if is_foreign(pairs) else pairs)
    if given.ndim != 2 or given.shape[1] not in (1, 2) or not given.shape[0]:
        raise ValueError(
            f"pairs has shape {given.shape}, expected (n_pairs, 2): two rows of X for each entry of y, or "
            "(n_items, 1): one, where entries share rows."
        )
    check_positions(given, n, "pairs")
    return given.astype(np.int64)


def check_no_pairs(pairs: Any, needed_by: str) -> None:
    """Check that no pairs are given, for an objective whose y belongs to rows."""
    if pairs is not None:
        raise ValueError(
            f"pairs can only be used with labels of pairs, but {needed_by} compares each row of X with its row of y: "
            "leave pairs out, or choose another objective."
        )


def check_no_y_of_pairs(pairs: Any, monitors: Iterable[str]) -> None:
    """Check that no function of rows and y watches a sample of the rows, where y belongs to pairs of them."""
    monitors = list(monitors)
    if pairs is not None and monitors:
        raise ValueError(
            f"The monitors {listed(monitors)} take y, which belongs to pairs of rows, but would receive a sample of "
            "rows: leave monitor_sample out, or use measures by name, which take a sample of the pairs."
        )


def check_same_shape(x: Array, earlier: tuple[int, ...], name: str) -> None:
    """Check that a fitted attribute has the shape that a warm start on new data needs."""
    if tuple(x.shape) != tuple(earlier):
        raise ValueError(
            f"warm_start=True continues from {name} of shape {tuple(earlier)}, but these data need {tuple(x.shape)}: "
            "pass as many rows, features and classes as before, or set warm_start=False."
        )


def check_sphere_rows(parameter: ForeignT) -> ForeignT:
    """Return the norms (n,), found in float64, of the rows of a parameter that is to move on spheres.

    Raises
    ------
    TypeError
        If the parameter is neither float32 nor float64.
    ValueError
        If the parameter is not a finite matrix, or a row is zero.
    """
    xp = namespace(parameter)
    if parameter.dtype not in (xp.float32, xp.float64):
        raise TypeError(f"Rows on spheres must be float32 or float64, got {parameter.dtype}: convert the parameter.")
    if parameter.ndim != 2:
        raise ValueError(
            f"Each parameter must be a matrix with one point per row, got shape {tuple(parameter.shape)}: reshape it, "
            "or use another optimizer for it."
        )
    lengths = norms(float64(parameter))
    if not bool(xp.all(xp.isfinite(lengths))):
        raise ValueError("A parameter contains NaN or infinity: rows on spheres must be finite.")
    if not bool(xp.all(lengths > 0)):
        row = int(xp.argmin(lengths))
        raise ValueError(f"Row {row} of a parameter is zero, and a sphere of radius 0 has no directions: drop the row.")
    return xp.astype(lengths, parameter.dtype)


def check_records(names: Sequence[str], rows: Sequence[Sequence[float]]) -> None:
    """Check that the columns of a history have different names, and each row one number for each."""
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise ValueError(f"Two columns have the name {twice[0]!r}: rename one of them.")
    for i, row in enumerate(rows):
        if len(row) != len(names):
            raise ValueError(f"Row {i} has {len(row)} numbers for the {len(names)} columns {listed(list(names))}.")


def check_checkpoint(path: Any, every: Any) -> None:
    """Check the path and the interval of the checkpoints of a fit.

    Raises
    ------
    TypeError
        If the path is not a path, or `every` is not an integer.
    ValueError
        If the folder does not exist, the path is a folder, or `every` is not positive.
    """
    check_count(every, "checkpoint_every")
    if path is None:
        return
    if not isinstance(path, str | PathLike):
        raise TypeError(f"checkpoint must be the path of a file, or None, got {path!r}.")
    file = Path(path)
    if file.is_dir():
        raise ValueError(f"checkpoint must be the path of a file, but {str(file)!r} is a folder: pass a name in it.")
    if not file.parent.is_dir():
        raise ValueError(f"The folder of the checkpoint {str(file)!r} does not exist: create it.")


def check_verbose(value: Any) -> None:
    """Check that a verbosity is a flag or a non-negative integer."""
    check_count(int(value) if isinstance(value, bool | np.bool_) else value, "verbose", low=0)
