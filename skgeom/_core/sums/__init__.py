"""The moments engine: sums over rows that can be merged, and what follows from them."""
