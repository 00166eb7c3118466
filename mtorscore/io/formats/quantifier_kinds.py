"""Output formats of quantifiers: columns, units and file names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtorscore.io.tables.cell_text import is_number

__all__ = ["FORMATS", "Format", "by_columns", "is_star"]


@dataclass(frozen=True)
class Format:
    """How a quantifier writes one sample.

    Attributes
    ----------
    columns
        Columns that must be there.
    gene
        Column of identifiers.
    units
        Units -> column, the default first.
    files
        Names that such files have in a folder; "" where any name will do.
    further
        Columns that describe the gene.
    """

    columns: frozenset[str]
    gene: str
    units: dict[str, str]
    files: str
    further: tuple[str, ...] = ()


FORMATS: dict[str, Format] = {
    "salmon": Format(
        frozenset({"Name", "Length", "EffectiveLength", "TPM", "NumReads"}),
        "Name",
        {"tpm": "TPM", "counts": "NumReads"},
        r"quant(\.genes)?\.sf",
    ),
    "kallisto": Format(
        frozenset({"target_id", "length", "eff_length", "est_counts", "tpm"}),
        "target_id",
        {"tpm": "tpm", "counts": "est_counts"},
        r"abundance\.tsv",
    ),
    "rsem": Format(
        frozenset({"length", "effective_length", "expected_count", "TPM", "FPKM"}),
        "gene_id|transcript_id",
        {"tpm": "TPM", "counts": "expected_count", "fpkm": "FPKM"},
        r".*(genes|isoforms)\.results",
        ("gene_id", "transcript_id(s)"),
    ),
    "cufflinks": Format(
        frozenset({"tracking_id", "gene_short_name", "FPKM", "FPKM_status"}),
        "tracking_id",
        {"fpkm": "FPKM"},
        r".*\.fpkm_tracking",
        ("gene_id", "gene_short_name", "locus"),
    ),
    # STAR counts each read unstranded, and as of either strand; nothing in the file says which protocol was used.
    "star-counts": Format(
        frozenset(),
        "",
        {"counts": "unstranded", "stranded_first": "stranded_first", "stranded_second": "stranded_second"},
        r".*ReadsPerGene\.out\.tab",
    ),
    "featurecounts": Format(
        frozenset({"Geneid", "Chr", "Start", "End", "Strand", "Length"}), "Geneid", {"counts": ""}, ""
    ),
}


def by_columns(names: Sequence[str]) -> str:
    """Name a quantifier by the columns that it writes, "" for none."""
    return next((kind for kind, known in FORMATS.items() if known.columns and known.columns <= set(names)), "")


def is_star(rows: list[list[str]]) -> bool:
    """Whether lines are STAR's ReadsPerGene: four columns, the first rows counters."""
    return (
        len(rows) > 3 and all(len(r) == 4 for r in rows[:50]) and rows[0][0] == "N_unmapped" and is_number(rows[0][1])
    )
