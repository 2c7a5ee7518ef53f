"""skgeom beside the library a user would pick instead: time, memory and accuracy, in one run.

``python -m benchmarks`` lists the comparisons, ``python -m benchmarks NAME [NAME ...]`` or ``all`` runs them. Targets
are printed beside the results and never asserted: timings belong to a machine.
"""
