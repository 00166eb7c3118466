"""Matrices that are never loaded: scores of atlases, block by block."""
