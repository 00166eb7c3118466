"""Scoring files larger than memory: blocks, checkpoints, progress."""
