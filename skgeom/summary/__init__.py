"""Summaries of rows in O(d²) memory, which can be merged, subtracted, saved, and used instead of the rows.

`cloud_summary` makes a `CloudSummary` of rows or of blocks of rows; every measure that is built on sums, `Whitening`,
`AllButTheTop`, `cloud_test` and `DriftMonitor` accept it in place of rows. `paired_summary` makes a `PairedSummary` of
two paired clouds, for fitting aligners. `load_summary` reads either from a file.
"""

from skgeom.summary._loading import load_summary
from skgeom.summary._paired import PairedSummary, paired_summary
from skgeom.summary._summary import CloudSummary, cloud_summary

__all__ = ["CloudSummary", "PairedSummary", "cloud_summary", "load_summary", "paired_summary"]
