"""What the signatures read: every branch in perturbation data with known direction."""
