"""The report of ``python -m skgeom report``: the geometry card of a space, and whether to whiten it.

The path is one way: files are read (`_files`) into a space (`_space`); it is measured (`_card`) and put through a
cross-validated grid of transforms (`_grid`, `_verdict`); the result is written as text (`_text`) and drawn (`_figure`).
"""
