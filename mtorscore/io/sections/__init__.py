"""Tissue sections with their coordinates: Visium, Xenium, SpatialData."""
