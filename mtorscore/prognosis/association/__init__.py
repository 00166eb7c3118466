"""Scores against outcomes: effects, negative controls, random signatures, meta-analysis."""
