"""Tables of results as pandas frames, if pandas is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def frame_of(columns: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Any:
    """Return columns of equal length, or rows, as a pandas frame.

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    try:
        from pandas import DataFrame
    except ImportError as error:
        raise ImportError("to_frame needs pandas, which is not installed: pip install pandas") from error
    return DataFrame(columns)
