"""Make the identifier tables in mtorscore/data from the reference tables (HGNC, one-to-one mouse pairs, date forms).

Run as ``python tools/make_identifier_tables.py REFERENCE_FOLDER``; the same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pandas as pd

TARGET = Path(__file__).resolve().parents[1] / "mtorscore" / "data"
GROUPS = {"protein-coding gene": "protein", "non-coding RNA": "rna", "pseudogene": "pseudo", "other": "other"}


def write(frame: pd.DataFrame, name: str) -> None:
    """Write a table as gzip without a time stamp, so that the bytes depend on the content alone."""
    text = frame.to_csv(sep="\t", index=False, lineterminator="\n")
    (TARGET / name).write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def main(reference: Path) -> None:
    """Write genes_human.tsv.gz, genes_mouse.tsv.gz and excel_dates.tsv.gz."""
    TARGET.mkdir(exist_ok=True)
    read = {"sep": "\t", "dtype": str, "keep_default_na": False}
    human = pd.read_csv(reference / "hgnc.tsv.gz", **read)
    human = pd.DataFrame(
        {
            "hgnc": human["hgnc_id"].str.removeprefix("HGNC:"),
            "symbol": human["symbol"],
            "previous": human["prev_symbols"],
            "alias": human["alias_symbols"],
            "entrez": human["entrez_id"],
            "ensembl": human["ensembl_gene_id"],
            "group": human["locus_group"].map(GROUPS),
        }
    ).sort_values("symbol", kind="stable")
    write(human, "genes_human.tsv.gz")
    mouse = pd.read_csv(reference / "mouse_orthologs.tsv.gz", **read)
    mouse = mouse[mouse["hgnc_id"] != ""]
    mouse = mouse[["mouse_symbol", "human_symbol", "mgi_id", "mouse_ensembl"]].sort_values(
        "mouse_symbol", kind="stable"
    )
    mouse.columns = pd.Index(["symbol", "human", "mgi", "ensembl"])
    write(mouse, "genes_mouse.tsv.gz")
    dates = pd.read_csv(reference / "excel_mangled.tsv", **read)
    dates = dates[["excel_day_month", "excel_month_day", "original_symbol", "current_symbol", "ambiguous"]]
    dates.columns = pd.Index(["day_month", "month_day", "original", "symbol", "ambiguous"])
    write(dates, "excel_dates.tsv.gz")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
