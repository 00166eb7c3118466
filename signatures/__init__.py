"""The signature library as data: one YAML file per entry."""
