"""Cross-validated prediction, calibration, performance, decision curves, sample size."""
