"""Text tables: bytes, preamble, cells, delimiters, checks, the expression matrix."""
