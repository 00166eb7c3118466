"""Readers of single formats: quantifiers, 10x, h5ad, R objects, GCT, gene lists."""
