"""Readers of what GEO, GDC, cBioPortal, Firehose and ICGC publish."""
