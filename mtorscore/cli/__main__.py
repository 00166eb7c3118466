"""``python -m mtorscore.cli``: the command line, for where the script is not on the path."""

from __future__ import annotations

from mtorscore.cli import main

main()
