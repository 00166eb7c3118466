"""tl/kernels."""
