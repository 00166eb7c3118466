"""Which kinds of fault of the version before the random files find: ``python -m benchmarks.reading.faults``.

Prints `faults.tsv`: a kind of fault, the kinds of random file that are instances of it, and of those the files that
were not right before and now. A fault is found where at least one such file was not right: wrong,
accepted although it is to be refused, or refused although it has one reading.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["FAULTS", "table"]

HERE = Path(__file__).parent
TABLES, SETS = "random_tables", "random_gene_sets"
# Kind of fault -> file of counts, and how the kinds of random file begin.
FAULTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "row numbers taken for Entrez genes, with symbols beside them": (TABLES, ("numbers beside symbols",)),
    "row numbers alone taken for Entrez genes": (TABLES, ("numbers alone are no genes",)),
    "patients called by numbers: the table read transposed": (TABLES, ("patient numbers in rows",)),
    "the index of a filtered frame taken for Entrez genes": (TABLES, ("index of a filtered frame",)),
    "spot numbers x samples of this field: read transposed": (TABLES, ("spot numbers",)),
    "unknown ids x samples of this field (HCC1-4): read transposed": (TABLES, ("unknown ids",)),
    "two readings, one taken without a word": (TABLES, ("two readings",)),
    "prefixes of assemblers (MSTRG.1|SYMBOL)": (TABLES, ("prefix (MSTRG", "prefix (STRG")),
    "prefixes of genomes (GRCh38_SYMBOL)": (TABLES, ("prefix (GRCh38", "prefix (hg")),
    "Entrez ids with a suffix (7157_at)": (TABLES, ("Entrez ids ({}_at)", "Entrez ids ({}.0)")),
    "Entrez ids with a prefix (GeneID:, hsa:)": (
        TABLES, ("Entrez ids (GeneID", "Entrez ids (hsa", "Entrez ids (ENTREZID")),
    "probes beside symbols refused": (TABLES, ("probes beside symbols",)),
    "mouse symbols read as human by capitals": (TABLES, ("mouse symbols",)),
    "ids of samples as numbers (001)": (TABLES, ("sample ids as text",)),
    "ids of patients as numbers (1.10, 1E0, 20 digits, NA)": (TABLES, ("clinical ids",)),
    "estimated counts called FPKM with certainty": (TABLES, ("estimated counts",)),
    "linear values with negatives called z-scores": (TABLES, ("linear values with negatives",)),
    "long tables": (TABLES, ("long table",)),
    "contrasts taken for expression (Seurat, scanpy, sleuth, Cuffdiff, by hand)": (TABLES, ("contrasts of",)),
    "MAF and VCF-like tables": (TABLES, ("MAF", "VCF-like")),
    "SEG and GISTIC": (TABLES, ("SEG", "GISTIC")),
    "BED with a header": (TABLES, ("BED with header",)),
    "summaries of featureCounts": (TABLES, ("featureCounts summary",)),
    "percent cells": (TABLES, ("a column of percent",)),
    "a column of dates or times under a sample's name": (TABLES, ("a column of date", "a column of time")),
    "tables without a header": (TABLES, ("no header",)),
    "HTSeq with names: the first gene lost": (TABLES, ("HTSeq with gene names",)),
    "laboratory values taken for genes": (TABLES, ("laboratory values among genes",)),
    "a comment in mid-table taken for a gene": (TABLES, ("a comment among the rows",)),
    "a stray CR joins digits": (TABLES, ("a stray CR in a cell",)),
    "a quote that is never closed": (TABLES, ("a quote never closed",)),
    "a delimiter guessed from commas inside quotes": (TABLES, ("commas inside quotes",)),
    "GMT without descriptions: the first gene lost": (SETS, ("GMT without descriptions",)),
    "genes separated by blanks, semicolons, bars or slashes": (SETS, ("GMT, genes separated by",)),
    "msigdbr and TERM2GENE tables, VISION's gene,weight": (SETS, ("msigdbr", "TERM2GENE", "GMT with gene,weight")),
    "YAML read less strictly than it is validated": (SETS, ("YAML with",)),
}  # fmt: skip


def counts(name: str) -> dict[str, tuple[int, int]]:
    """Return per kind of random file how many there were and how many were not right."""
    lines = [line.split("\t") for line in (HERE / f"{name}.tsv").read_text(encoding="utf-8").splitlines()]
    rows = [line for line in lines if len(line) == 6 and line[1].isdigit()]
    return {row[0]: (int(row[1]), int(row[1]) - int(row[2])) for row in rows}


def table() -> list[list[str]]:
    """Return the rows: fault, kinds of random file, files and not right before, files and not right now."""
    read = {name: counts(name) for name in (f"{n}{e}" for n in (TABLES, SETS) for e in ("", "_before"))}
    rows = [["fault", "random files", "files_before", "not_right_before", "files_now", "not_right_now", "found"]]
    for fault, (name, beginnings) in FAULTS.items():
        kinds = [k for k in read[name] if k.startswith(beginnings)]
        before = [read[f"{name}_before"].get(k, (0, 0)) for k in kinds]
        now = [read[name][k] for k in kinds]
        wrong = sum(b for _, b in before)
        numbers = [sum(a for a, _ in before), wrong, sum(a for a, _ in now), sum(b for _, b in now)]
        rows.append([fault, "; ".join(beginnings), *map(str, numbers), "yes" if wrong else "no"])
    return rows


def main() -> None:
    """Print the table and how many kinds of fault are found."""
    rows = table()
    found = sum(row[-1] == "yes" for row in rows[1:])
    print(f"# python -m benchmarks.reading.faults, of the tables of counts beside it: {found} of {len(rows) - 1} found")
    print("\n".join("\t".join(row) for row in rows))


if __name__ == "__main__":
    main()
