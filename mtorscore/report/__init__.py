"""One self-contained HTML page per run, written from the results on disk.

The page opens without a network. Board and map stand in it as inline graphics; its other figures are drawn by one small
interactive layer that reads the result tables. `write_figures` writes them for papers, as vectors.
"""

from __future__ import annotations

from mtorscore.report.page import board, write, write_figures
from mtorscore.report.patient_page import passport

__all__ = ["board", "passport", "write", "write_figures"]
