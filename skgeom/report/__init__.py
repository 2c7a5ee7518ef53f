"""The report of a space: its geometry card, and whether a transform helps the task at hand.

`geometry_report` makes it of arrays, ``skgeom report`` of files: as text, as JSON, and as one HTML page with pictures
that needs neither network nor script.
"""

from skgeom.report._report import Report, geometry_report

__all__ = ["Report", "geometry_report"]
