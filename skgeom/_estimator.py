"""What all transformers share of scikit-learn's contract: how arrays come in, are computed and leave."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from skgeom._array import asarray_like, namespace, place, to_numpy
from skgeom._typing import Array
from skgeom._validation import check_cloud, check_device, check_fitted_kind, check_host, check_width


class GeometryTransformer(TransformerMixin, BaseEstimator):
    """Base of the transformers: arrays follow the input, or, with a `device`, go there and come back as NumPy."""

    device: str | None
    _n_features_out: int

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.array_api_support = self.device is None
        return tags

    def _checked(self, X: Any, *, reset: bool, min_samples: int = 1) -> Array:
        """Check X, and record or compare its features."""
        if not reset:
            check_is_fitted(self)
        check_device(self.device)
        x = check_cloud(X, min_samples=min_samples)
        if self.device is not None:
            check_host(X, self.device)
        validate_data(self, X, reset=reset, skip_check_array=True)
        return x

    def _receive(self, X: Any, *, reset: bool, min_samples: int = 1) -> Array:
        """Check X and bring it to where it is computed."""
        return self._placed(self._checked(X, reset=reset, min_samples=min_samples))

    def _receive_output(self, X: Any) -> Array:
        """Check rows of the output space, and bring them to where they are computed."""
        check_is_fitted(self)
        z = check_cloud(X, min_samples=1)
        check_width(z, self._n_features_out, type(self).__name__)
        return self._placed(z)

    def _placed(self, x: Array) -> Array:
        return x if self.device is None else place(x, self.device)

    def _here(self, name: str, x: Array) -> Array:
        """Return a fitted attribute where the rows x are."""
        return self._bring(getattr(self, name), x)

    def _bring(self, fitted: Array, x: Array) -> Array:
        """Move a fitted array to where the rows x are, if a device was asked for; else refuse rows of another kind."""
        if self.device is not None:
            return asarray_like(fitted, x, dtype=namespace(x).float64)
        check_fitted_kind(self, x, fitted)
        return fitted

    def _leave(self, values: Array) -> Array:
        """Return results or attributes as they leave: in the library of the input, or from a device as NumPy."""
        return to_numpy(values) if self.device is not None else values
