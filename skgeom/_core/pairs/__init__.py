"""The pairs engine: one blocked reduction over tiles of all pairs of rows, never an n x n array."""
