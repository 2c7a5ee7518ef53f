"""The report of a space: its geometry card, and whether a transform helps the task.

`geometry_report` makes it from arrays and ``skgeom report`` from files: as text, as JSON, and as one HTML page with
pictures that needs no network and no script.
"""

from skgeom.report._report import Report, geometry_report

__all__ = ["Report", "geometry_report"]
