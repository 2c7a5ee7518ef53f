"""Mathematics: pure functions on arrays, without checks and without scikit-learn.

Every formula of the library stands here once and serves the metric, the estimator and the loss alike: arrays in, arrays
out (0-d for scalars), in the library and on the device of the input, gradients kept, no randomness. Nothing of the
caller's is written; what a kernel has made itself, such as a scratch array of a tile, it may overwrite. Sums accumulate
in float64 whatever the input. Losses may use eigenvalues and traces, never eigenvectors, whose gradient is not finite
where eigenvalues repeat: exactly at isotropy.

`sums` and `pairs` are the two engines: sums over rows that merge, and tiles of all pairs of rows. "Pairs" always are
all pairs of rows of one cloud, or of two; rows of two clouds that belong together are partners.

=======  ===============================================
letter   meaning
=======  ===============================================
``x``    rows (n, d)
``u``    unit rows (n, d)
``v``    directions, one per row (m, d)
``c``    covariance (d, d)
``m``    a summary of a cloud, see `_moments`
``n``    number of rows, or their total weight
``d``    number of columns
``k``    number of classes or components
``xp``   the array API namespace
=======  ===============================================
"""
