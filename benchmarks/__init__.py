"""Measurements: ``python -m benchmarks`` compares speed, memory and agreement of scoring with other packages."""
