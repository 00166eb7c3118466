"""Fetching from public archives into the cache: sources, HTTP, verification, unpacking."""
