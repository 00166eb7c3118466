"""Write the pages of the manual that are made from the package: methods, signatures, formats, configuration, commands.

`conf.py` calls `write_all` at each build. A file is touched only where its content changed, so that Sphinx reads again
no more than it must.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pages_library
import pages_lists
import pages_methods
import pages_readers
import pages_results
import pages_workflow
import pictures

__all__ = ["pages", "write_all"]


def pages(docs: Path) -> dict[str, str]:
    """Return every generated page of the manual in a folder: path below its ``generated`` -> text."""
    return {
        **pages_methods.pages(),
        **pages_library.pages(),
        **pages_workflow.pages(),
        **pages_readers.pages(),
        **pages_results.pages(),
        **pages_lists.pages(docs),
    }


def write_all(docs: Path) -> list[Path]:
    """Write every generated page and remove those that are no longer made.

    Parameters
    ----------
    docs
        The manual's folder; the pages go into its ``generated``, which is made where it is missing.

    Returns
    -------
    list of pathlib.Path
        The pages.
    """
    folder = docs / "generated"
    written = []
    for name, text in pages(docs).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
        written.append(path)
    pictures.write_pictures(folder / "figures")
    for old in set(folder.rglob("*.md")) - set(written):
        old.unlink()
    return written


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
