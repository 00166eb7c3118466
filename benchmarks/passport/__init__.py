"""How much one library says: coverage of the passport's intervals."""
