"""What `moments` says with two threads beside two busy processes, whatever the options say."""

from benchmarks.moments import cases

__all__ = ["SETTINGS", "cases"]

SETTINGS = {"threads": 2, "beside": 2}
