"""Level and power of contrasts and set tests in simulations with correlated genes."""
