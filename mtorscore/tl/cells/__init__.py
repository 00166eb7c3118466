"""Single cells and small panels: scores as an AnnData, calls per cell, what a panel can say."""
