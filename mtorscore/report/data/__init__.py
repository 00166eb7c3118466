"""What a run left on disk, read for the report."""
