"""Readers of tissue sections."""
