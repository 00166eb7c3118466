"""Gene symbols and their history, kinds of identifiers, and orthologues."""
