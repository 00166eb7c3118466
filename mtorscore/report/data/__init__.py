"""The files of a run, read for the report."""
