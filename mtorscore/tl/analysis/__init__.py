"""What is done with scores: contrasts, comparisons, diagnosis, summaries, enrichment, translation."""
