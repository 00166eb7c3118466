"""Gene symbols through time, kinds of identifiers, and orthologues."""
