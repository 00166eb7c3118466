"""One self-contained HTML page per run, written from the results on disk.

The page opens without a network. Its figures are drawn twice: as static vector graphics for print and for readers
without JavaScript, and by one small interactive layer that reads the result tables.
"""

from __future__ import annotations

from mtorscore.report.page import board, write
from mtorscore.report.patient_page import passport

__all__ = ["board", "passport", "write"]
