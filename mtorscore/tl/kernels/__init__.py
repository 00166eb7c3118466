"""Compiled loops on plain arrays. Importing a module of this folder imports numba; no other module of `tl` does."""
