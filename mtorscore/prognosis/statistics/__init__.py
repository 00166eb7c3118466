"""Estimators and tests on plain arrays."""
