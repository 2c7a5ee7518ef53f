"""A cloud of rows summed up in O(d²): what can be merged, subtracted, saved, and asked in place of the rows.

`cloud_summary` makes a `CloudSummary` of rows or of blocks of rows; every measure that is built on sums, `Whitening`,
`AllButTheTop`, `cloud_test` and `DriftMonitor` take it where they take rows. `load_summary` reads one from a file.
"""

from skgeom.summary._summary import CloudSummary, cloud_summary, load_summary

__all__ = ["CloudSummary", "cloud_summary", "load_summary"]
