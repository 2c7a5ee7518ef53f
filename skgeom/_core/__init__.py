"""Mathematics: pure functions on arrays, without checks and without scikit-learn.

Every formula of the library is here once, for the metric, the estimator and the loss: arrays in, arrays out
(0-d for scalars), in the library and on the device of the input, gradients kept, no randomness. A kernel never writes
to its input, but may overwrite its own arrays, such as the scratch array of a tile. Sums accumulate in float64 for any
input. Losses may use eigenvalues and traces, never eigenvectors, whose gradient is not finite if eigenvalues are equal,
as they are at isotropy.

`sums` and `pairs` are the two engines: sums over rows that merge, and tiles of all pairs of rows. "Pairs" are always
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
