"""How every method is run: specification, gene sets, tiles, sources, plan, execution, reference."""
