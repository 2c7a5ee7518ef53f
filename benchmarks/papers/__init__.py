"""The tables of two papers on multimodal embeddings, each beside what skgeom obtains.

``python -m benchmarks.papers.multimodal_isotropy`` and ``python -m benchmarks.papers.double_ellipsoid``; ``--help``
lists the files that they take. Every figure of skgeom is computed in the run. Published figures are constants.
"""
