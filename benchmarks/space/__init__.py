"""Level and power of the statistics of tissue sections where the truth is known."""
