"""Lists of events, one a row: MAF of the GDC, of MC3 and of cBioPortal, and structural variants.

References
----------
GDC, "MAF format" (docs.gdc.cancer.gov/Data/File_Formats/MAF_Format); cBioPortal, "File formats"
(docs.cbioportal.org/file-formats): rows whose ``Mutation_Status`` is none, LOH, wildtype or redacted are not loaded.
"""

from __future__ import annotations

from collections.abc import Collection

from mtorscore.errors import DataWarning, FormatError, examples, warn
from mtorscore.io.alterations.gene_names import name_of
from mtorscore.io.alterations.kinds import kind_of_mutation
from mtorscore.io.alterations.parts import MUTATIONS, STRUCTURAL, Part
from mtorscore.io.alterations.rows import Rows

__all__ = ["is_mutations", "is_structural", "mutations", "structural_variants"]

SAMPLE = (
    *("tumor_sample_barcode", "sample_id", "tumor_sample_id", "sample", "tumor_sample", "sampleid"),
    *("submitted_sample_id", "icgc_sample_id", "icgc_donor_id", "patient_id", "patient", "case_id", "case"),
    *("tumor", "tumour", "tumour_sample", "tumour_sample_id", "tumour_sample_barcode"),
)
GENE = ("hugo_symbol", "gene_symbol", "gene_name", "symbol", "gene", "gene_refgene", "gene_affected")
CLASS = (
    *("variant_classification", "mutation_type", "effect", "consequence", "variant_class", "consequence_type"),
    "exonicfunc_refgene",
)
BESIDE = ("func_refgene",)
"""Where the variant lies, by ANNOVAR, whose classification is blank outside of coding sequence."""
CHANGE = (
    *("hgvsp_short", "protein_change", "amino_acid_change", "aachange", "aa_change", "hgvsp", "amino_acids_change"),
    *("aachange_refgene", "aa_mutation", "mutation"),
)
ENTREZ, ENSEMBL = ("entrez_gene_id", "entrez_id", "ncbi_gene_id"), ("ensembl_gene_id", "ensembl_id")
NOT_SOMATIC = frozenset({"none", "loh", "wildtype", "redacted"})
SITES = (("site1_hugo_symbol", "site1_entrez_gene_id"), ("site2_hugo_symbol", "site2_entrez_gene_id"))


def is_mutations(rows: Rows) -> bool:
    """Whether the columns are those of a list of mutations."""
    found = [rows.column(*names) for names in (SAMPLE, GENE)]
    return None not in found and (rows.column(*CLASS) is not None or rows.column(*CHANGE) is not None)


def is_structural(rows: Rows) -> bool:
    """Whether the columns are those of a list of structural variants or fusions."""
    known = set(rows.words)
    return bool({s for pair in SITES for s in pair} & known) or (
        "fusion" in known and rows.column(*GENE) is not None and rows.column(*SAMPLE) is not None
    )


def _cell(cells: list[str], at: int | None) -> str:
    return "" if at is None else cells[at]


def _listed(rows: Rows, part: Part) -> None:
    """Take the samples that a comment of the file says were sequenced."""
    for line in rows.comments:
        name, colon, value = line.lstrip("# ").partition(":")
        if colon and name.strip().lower() == "sequenced_samples":
            part.samples.update(dict.fromkeys(value.split()))
            part.says_who = True


def mutations(rows: Rows, genes: Collection[str] | None, *, only_passed: bool = False) -> Part:
    """Read a list of mutations.

    Parameters
    ----------
    rows
        The table.
    genes
        Approved symbols that are wanted; None for all.
    only_passed
        Whether rows whose ``FILTER`` is not ``PASS`` are left out.

    Returns
    -------
    Part
        Silent variants and rows without a gene are counted in `left_out`; their samples were profiled all the same.

    Raises
    ------
    FormatError
        If a row names no sample, or no row has a classification that is known.
    """
    part = Part(rows.path, MUTATIONS)
    _listed(rows, part)
    sample, gene, kind_at, change_at = (rows.column(*names) for names in (SAMPLE, GENE, CLASS, CHANGE))
    beside = rows.column(*BESIDE)
    entrez, ensembl, passed = rows.column(*ENTREZ), rows.column(*ENSEMBL), rows.column("filter")
    if rows.column("hugo_symbol") is not None and ensembl is None:
        # MAF of the GDC and MC3: the Ensembl id of the gene.
        ensembl = rows.column("gene")
    status, hotspot = rows.column("mutation_status"), rows.column("hotspot", "is_hotspot")
    strange: dict[str, None] = {}
    n_rows = known = 0
    for line, cells in rows:
        n_rows += 1
        who = _cell(cells, sample)
        if not who:
            raise FormatError("a mutation without a sample.", path=rows.path, line=line)
        if _cell(cells, status).lower() in NOT_SOMATIC:
            part.left_out[f"mutation status {_cell(cells, status)}"] += 1
            continue
        if only_passed and passed is not None and cells[passed] not in ("PASS", ".", ""):
            part.left_out["filter other than PASS"] += 1
            continue
        part.samples[who] = None
        name = name_of(_cell(cells, gene), _cell(cells, entrez), _cell(cells, ensembl))
        part.mentioned.add(name)
        change = _cell(cells, change_at)
        said = _cell(cells, hotspot).lower() in ("y", "yes", "true", "1")
        what = _cell(cells, kind_at)
        what = _cell(cells, beside) or what if what in ("", ".") else what
        kind = kind_of_mutation(name, what, change, hotspot=said)
        if kind is None and not what and change:
            kind = kind_of_mutation(name, change)
        if kind is None:
            strange[what or change or "blank"] = None
            kind = "unclassified"
        else:
            known += 1
        if not name:
            part.left_out["no gene"] += 1
        elif not kind:
            part.left_out["silent or outside of genes"] += 1
        elif genes is None or name in genes:
            part.add(who, name, kind, change)
    _judge_words(rows, strange, n_rows, known)
    return part


def _judge_words(rows: Rows, strange: dict[str, None], n_rows: int, known: int) -> None:
    if not strange:
        return
    if not known:
        raise FormatError(
            f"none of {n_rows} rows has a variant classification that is known ({examples(strange)}); is this a list "
            "of mutations? Use the words of a MAF, such as Missense_Mutation.",
            path=rows.path,
            line=rows.line + 1,
        )
    warn(
        f"{rows.path.name}: {len(strange)} word(s) of variant classification are not known ({examples(strange)}); "
        f"these mutations are counted, as {'unclassified'!r}.",
        DataWarning,
    )


def structural_variants(rows: Rows, genes: Collection[str] | None) -> Part:
    """Read a list of structural variants (both genes count) or of fusions.

    Raises
    ------
    FormatError
        If a row names no sample.
    """
    part = Part(rows.path, STRUCTURAL)
    _listed(rows, part)
    sample, status = rows.column(*SAMPLE), rows.column("sv_status")
    change = rows.column("event_info", "fusion", "annotation", "class", "comments")
    places = [(rows.column(name), rows.column(entrez)) for name, entrez in SITES]
    if all(name is None and entrez is None for name, entrez in places):
        places = [(rows.column(*GENE), rows.column(*ENTREZ))]
    if sample is None:
        raise FormatError(
            "structural variants without a column of samples (Sample_Id).", path=rows.path, line=rows.line
        )
    for line, cells in rows:
        who = cells[sample]
        if not who:
            raise FormatError("a structural variant without a sample.", path=rows.path, line=line)
        part.samples[who] = None
        if _cell(cells, status).lower() in NOT_SOMATIC:
            part.left_out[f"status {_cell(cells, status)}"] += 1
            continue
        names = dict.fromkeys(filter(None, (name_of(_cell(cells, n), _cell(cells, e)) for n, e in places)))
        if not names:
            part.left_out["no gene"] += 1
        for name in names:
            if genes is None or name in genes:
                part.add(who, name, "structural variant", _cell(cells, change))
    return part
