"""Endpoints, outcome models, clinical columns, covariates, checks of inputs."""
