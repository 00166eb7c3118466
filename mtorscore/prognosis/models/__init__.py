"""Fitted models: frozen on file, validated in other cohorts."""
