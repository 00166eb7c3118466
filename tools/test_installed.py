"""Test what a user installs: ``python tools/test_installed.py FOLDER [--constraint FILE] [--without EXTRA] [-- ...]``.

The source distribution is built and installed by pip into a new environment at FOLDER, with the interpreter that runs
this script, and the fast tests of this checkout are run against it; what follows ``--`` goes to pytest. With
``--constraint requirements-lowest.txt`` every library is the oldest that is declared, without it the newest.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("dev", "docs", "peers", "prognosis", "remote", "scale")


def install(folder: Path, extras: list[str], constraint: Path | None) -> Path:
    """Build the sdist and install it with its extras; return the interpreter."""
    venv.create(folder, with_pip=True, clear=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "build"], check=True)
    with tempfile.TemporaryDirectory() as built:
        subprocess.run([str(python), "-m", "build", "--sdist", "--outdir", built, str(ROOT)], check=True)
        (source,) = Path(built).glob("*.tar.gz")
        limits = ["--constraint", str(constraint)] if constraint else []
        subprocess.run([*pip, *limits, f"{source}[{','.join(extras)}]"], check=True)
    return python


def main() -> int:
    """Install and test; return what pytest returned."""
    parser = argparse.ArgumentParser(description="Test the source distribution as a user installs it.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--constraint", type=Path)
    parser.add_argument("--without", action="append", default=[], choices=EXTRAS)
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    given = parser.parse_args(words[:end])
    python = install(given.folder.resolve(), [e for e in EXTRAS if e not in given.without], given.constraint)
    # The folder mtorscore of this checkout must not hide the one installed, here and in what the tests start.
    environment = os.environ | {"PYTHONSAFEPATH": "1", "PATH": f"{python.parent}:{os.environ['PATH']}"}
    command = [str(python), "-m", "pytest", "--import-mode=append", "-p", "no:cacheprovider", "-q", "-m", "not slow"]
    return subprocess.run([*command, *words[end + 1 :]], cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
