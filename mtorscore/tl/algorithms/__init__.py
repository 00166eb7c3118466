"""One file per scoring method: formula and citation, a pure function on a tile, and a `MethodSpec`."""
