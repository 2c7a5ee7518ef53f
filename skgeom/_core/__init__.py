"""Mathematics: pure functions on arrays, without checks and without scikit-learn.

Every formula of the library stands here once and serves the metric, the estimator and the loss alike: arrays in, arrays
out (0-d for scalars), on the library and device of the input, gradients kept, nothing written in place, no randomness.
Sums accumulate in float64 whatever the input. Losses may use eigenvalues and traces, never eigenvectors, whose gradient
is not finite where eigenvalues repeat: exactly at isotropy.

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
