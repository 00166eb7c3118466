"""Pictures of every figure for the reference: the examples that the image comparison draws, as SVG."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["UNDRAWN", "write_pictures"]

UNDRAWN = ("save", "style")
"""Public names of `mtorscore.pl` that draw nothing."""


def write_pictures(folder: Path) -> list[Path]:
    """Draw the example of every function of `mtorscore.pl` whose picture is missing or older than the code.

    Parameters
    ----------
    folder
        Where the pictures go, made where it is missing.

    Returns
    -------
    list of pathlib.Path
        One SVG per function.
    """
    root = Path(__file__).resolve().parents[2]
    sys.path.insert(0, str(root))
    from mtorscore import pl
    from tests.pl.figures import EXAMPLES

    sources = [*(root / "mtorscore" / "pl").glob("*.py"), root / "tests" / "pl" / "figures.py"]
    newest = max(p.stat().st_mtime for p in sources)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.svg" for name in EXAMPLES]
    for (_, draw), path in zip(EXAMPLES.items(), paths, strict=True):
        if not path.is_file() or path.stat().st_mtime < newest:
            pl.save(draw(), path)
    return paths
