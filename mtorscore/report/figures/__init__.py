"""Static figures of the report."""
