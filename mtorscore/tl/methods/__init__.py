"""tl/methods."""
