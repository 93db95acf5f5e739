"""Compiled loops (numba): no GIL, compiled once and kept on disk."""
