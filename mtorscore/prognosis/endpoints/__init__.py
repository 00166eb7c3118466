"""What the outcome is: endpoints, clinical columns, covariates, checks of inputs."""
