"""Compiled loops on plain arrays. Importing a module of this folder imports numba; nothing else here does."""
