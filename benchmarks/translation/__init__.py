"""Change of translation efficiency on simulated ribosome profiles, beside PyDESeq2."""
