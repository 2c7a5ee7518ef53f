"""Summaries read from files."""

from __future__ import annotations

from os import PathLike

import numpy as np

from skgeom.summary._file import incomplete, read_arrays
from skgeom.summary._paired import PREFIXES, SCATTER, PairedSummary
from skgeom.summary._summary import CloudSummary, summary_of_arrays


def load_summary(path: str | PathLike[str]) -> CloudSummary | PairedSummary:
    """Read a summary written by `CloudSummary.save` or `PairedSummary.save`.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    CloudSummary or PairedSummary
        Equal to the last bit, with NumPy arrays.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not a summary, is cut off, or was written by a later version in an unknown format.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skgeom.summary import cloud_summary, load_summary
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cloud_summary(X).save(Path(folder) / "summary.npz")
    ...     load_summary(Path(folder) / "summary.npz")
    CloudSummary(n_rows=100, n_features=4)
    """
    found = read_arrays(path)
    try:
        return _summary_of(found)
    except (KeyError, TypeError, ValueError) as error:  # arrays are missing, or of another kind
        raise incomplete(path) from error


def _summary_of(found: dict[str, np.ndarray]) -> CloudSummary | PairedSummary:
    """Return the summary with the arrays of a file."""
    if SCATTER not in found:
        return summary_of_arrays(found)
    x, y = (
        summary_of_arrays({name.removeprefix(side): a for name, a in found.items() if name.startswith(side)})
        for side in PREFIXES
    )
    return PairedSummary(x, y, found[SCATTER])
