"""Size and speed of the report's page, beside another version's."""
