"""prognosis."""
