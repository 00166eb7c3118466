"""Draw the pictures of README and manual from the run of `make demo`: the board and the map.

``python tools/pictures.py results/demo`` writes them into docs/_static; with ``--check`` into a scratch folder, to show
that they can be drawn, and that those in docs/_static are there and small.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from mtorscore import pl, report

STATIC = Path(__file__).parents[1] / "docs" / "_static"
NAMES = ("board.png", "map.png")
MOST_BYTES = 150_000


def draw(run: Path, folder: Path) -> list[Path]:
    """Write the two pictures of a run into a folder."""
    table = report.board(run)
    board = pl.board(table, title="Simulated tumours: which branch, how sure, does it matter")
    pathway = pl.pathway(table, title="Simulated tumours against normal tissue")
    figures = zip(NAMES, (board, pathway), strict=True)
    return [pl.save(figure, folder / name, dpi=150) for name, figure in figures]


def main(arguments: list[str]) -> None:
    """Draw, or check."""
    run = Path(arguments[0])
    if "--check" not in arguments:
        paths = draw(run, STATIC)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            draw(run, Path(scratch))
        paths = [STATIC / name for name in NAMES]
    large = [f"{p.name}: {p.stat().st_size} bytes" for p in paths if p.stat().st_size > MOST_BYTES]
    if large:
        raise SystemExit(f"Pictures of the manual stay below {MOST_BYTES} bytes: {', '.join(large)}.")
    sys.stdout.write("\n".join(f"{p.name}: {p.stat().st_size} bytes" for p in paths) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
