"""Make the identifier tables in mtorscore/data from the reference tables (HGNC, one-to-one mouse pairs, date forms).

Run as ``python tools/make_identifier_tables.py REFERENCE_FOLDER ANNOTATION...``. An annotation is a table whose first
two columns are Ensembl id and gene name (GDC STAR counts carry GENCODE v36). The same input gives the same bytes.
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


def retired(human: pd.DataFrame, annotations: list[Path]) -> pd.DataFrame:
    """Return Ensembl ids that HGNC has replaced, with the gene's current symbol.

    An id of an annotation counts where HGNC does not know it, its gene name is (or was, of one gene only) a symbol,
    and the Ensembl id that HGNC gives that gene is not in the annotation.
    """
    current = dict(zip(human["symbol"], human["ensembl"], strict=True))
    history: dict[str, set[str]] = {}
    for symbol, names in zip(human["symbol"], human["previous"], strict=True):
        for name in names.split("|") if names else ():
            history.setdefault(name, set()).add(symbol)
    known = set(human["ensembl"])
    found: dict[str, str] = {}
    for path in annotations:
        frame = pd.read_csv(path, sep="\t", comment="#", dtype=str, keep_default_na=False, usecols=[0, 1])
        ids = frame.iloc[:, 0].str.replace(r"[._].*$", "", regex=True)
        present = set(ids)
        for ensembl, name in zip(ids, frame.iloc[:, 1], strict=True):
            if not ensembl.startswith("ENSG0") or ensembl in known or not name:
                continue
            symbols = {name} if name in current else history.get(name, set())
            if len(symbols) == 1 and current[symbol := next(iter(symbols))] not in present:
                found.setdefault(ensembl, symbol)
    return pd.DataFrame(sorted(found.items()), columns=["ensembl", "symbol"])


def main(reference: Path, annotations: list[Path]) -> None:
    """Write genes_human.tsv.gz, genes_mouse.tsv.gz, excel_dates.tsv.gz and ensembl_retired.tsv.gz."""
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
    write(retired(human, annotations), "ensembl_retired.tsv.gz")
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
    main(Path(sys.argv[1]), [Path(p) for p in sys.argv[2:]])
