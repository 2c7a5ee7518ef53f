"""The report of ``skgeom report``: the geometry card of a space, and whether a transform helps the task at hand.

The path is one way: files are read (`_files`) into a space (`_space`); it is measured (`_card`) and put before the
judges of `skgeom.model_selection` (`_judging`); the result is written as text (`_text`), drawn (`_figure`) and put on a
page (`_page`).
"""
