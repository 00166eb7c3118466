"""Analyses of scores: contrasts, comparisons, diagnosis, summaries, enrichment, translation efficiency."""
