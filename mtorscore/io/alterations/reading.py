"""Read DNA alterations of any portal into one table of samples and genes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore.errors import DataError, DataWarning, FormatError, examples, warn
from mtorscore.io.alterations.assembly import assemble
from mtorscore.io.alterations.event_lists import is_mutations, is_structural, mutations, structural_variants
from mtorscore.io.alterations.gene_names import approved
from mtorscore.io.alterations.gene_tables import gene_table, is_long_copy_number, long_copy_number
from mtorscore.io.alterations.oncoprint import is_oncoprint, is_oncoprinter, oncoprint, oncoprinter
from mtorscore.io.alterations.parts import MUTATIONS, Part
from mtorscore.io.alterations.profiling import Panels, read_panels, read_profiled
from mtorscore.io.alterations.rows import open_rows

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["read_alterations"]

STUDY = (
    *("data_mutations*.txt", "data_cna.txt", "data_CNA.txt", "data_sv.txt", "data_fusions.txt", "data_SV.txt"),
    *("data_cna_hg19.txt", "data_structural_variants.txt"),
)
LISTS = {"mutations": "cases_sequenced.txt", "copy_number": "cases_cna.txt", "structural_variants": "cases_sv.txt"}


def read_alterations(
    path: str | Path | Sequence[str | Path],
    *,
    genes: Iterable[str] | Mapping[str, str] | None = None,
    profiled: Any = None,
    panels: str | Path | Sequence[str | Path] = (),
    shallow: bool = False,
    only_passed: bool = False,
) -> AnnData:
    """Read mutations, copy number and structural variants as one table of samples and genes.

    Parameters
    ----------
    path
        One file or several, compressed or not, or the folder of a cBioPortal study: MAF (GDC, MC3, cBioPortal's
        ``data_mutations``), levels of copy number from -2 to 2 (GISTIC's ``all_thresholded.by_genes``, cBioPortal's
        ``data_cna``, wide or long), ``data_sv`` or fusions, the table of an OncoPrint (its download "Tabular") and the
        list of the OncoPrinter, tables of genes and samples in either orientation with 0 and 1 or with words (``WT``,
        ``R249S``, ``AMP;MUT``, ``MUTATED``).
    genes
        Symbols that are wanted, in this order; all that the files name by default. A mapping of gene to column reads
        columns of other names from a table with samples in rows.
    profiled
        Who was profiled, where the files hold those with an event alone: a case list of cBioPortal, a file with
        one name a line, names, or a mapping of ``"mutations"``, ``"copy_number"``, ``"structural_variants"``
        to any of these.
    panels
        Gene panels of cBioPortal and the matrix of who has which, or one list of genes that holds for everybody: genes
        outside of a sample's panel are not profiled.
    shallow
        Whether gains (1) and shallow deletions (-1) count as alterations.
    only_passed
        Whether mutations whose ``FILTER`` is not ``PASS`` are left out.

    Returns
    -------
    anndata.AnnData
        Samples x genes in approved symbols. ``X``: 1 altered, 0 profiled and not altered, NaN not profiled.
        ``layers["kind"]``: text, kinds of alterations joined by ``"; "`` (truncating, missense hotspot, missense,
        inframe, promoter, unclassified, structural variant, deep deletion, amplification, altered; also shallow
        deletion and gain, which do not count by themselves), ``""`` for none. ``layers["profiled"]``: bool, by any kind
        of data; ``layers["profiled_mutations"]``, ``"profiled_copy_number"``, ``"profiled_structural_variants"`` and
        ``"profiled_calls"``: by each that was read. ``uns["alterations"]``: files, what was left out and why (silent
        variants, rows without a gene), and the protein changes. TCGA barcodes that differ in length between files are
        cut to what all of them name. ``uns["alterations"]["not_mentioned"]``: wanted genes that no list of mutations
        names, where these name so few genes that they may be of a panel or an excerpt.

    Raises
    ------
    FormatError
        If a file cannot be read, holds no alterations, or says something that has no meaning.
    DataError
        If nobody says who was profiled, or a wanted gene has no name.

    Warns
    -----
    DataWarning
        If words of a classification are unknown, samples are not among those said to be profiled, or nothing says who
        was profiled.

    Notes
    -----
    A list of mutations names no sample without one: without `profiled` such samples are missing, and
    shares are too high.

    References
    ----------
    cBioPortal, "File formats"; GDC, "MAF format"; Mermel et al., Genome Biol 2011;12:R41 (GISTIC).
    """
    files, lists, found_panels = _inputs(path, panels)
    columns = {str(g): str(c) for g, c in genes.items()} if isinstance(genes, Mapping) else None
    wanted = None if genes is None else approved(genes)
    if wanted is not None and not wanted:
        raise DataError("genes= names no gene; give symbols such as PTEN, or leave it out.")
    who = read_profiled(profiled) or {k: read_profiled({k: v})[k] for k, v in lists.items()}
    asked = None if wanted is None else set(wanted)
    parts = [part for f in files for part in _parts(f, asked, columns, only_passed=only_passed)]
    _say_who(parts, who, found_panels)
    return assemble(parts, wanted, who, found_panels, shallow=shallow)


def _inputs(
    path: str | Path | Sequence[str | Path], panels: str | Path | Sequence[str | Path]
) -> tuple[list[Path], dict[str, Path], Panels]:
    """Return the files, the case lists and the panels, those of a study's folder among them."""
    given = [Path(path)] if isinstance(path, str | Path) else [Path(p) for p in path]
    if not given:
        raise DataError("no file of alterations is named.")
    files: list[Path] = []
    lists: dict[str, Path] = {}
    boards = [Path(panels)] if isinstance(panels, str | Path) else [Path(p) for p in panels]
    for one in given:
        if not one.is_dir():
            files.append(one)
            continue
        inside = list(dict.fromkeys(f for pattern in STUDY for f in sorted(one.glob(pattern))))
        if not inside:
            raise FormatError("the folder holds no data_mutations, data_cna or data_sv.", path=one)
        files += inside
        lists |= {k: one / "case_lists" / name for k, name in LISTS.items() if (one / "case_lists" / name).exists()}
        boards += sorted(one.glob("data_gene_*.txt"))
    boards = [f for b in boards for f in (sorted(b.glob("*.txt")) if b.is_dir() else [b])]
    return files, lists, read_panels(boards)


def _parts(
    path: Path, genes: Collection[str] | None, columns: Mapping[str, str] | None, *, only_passed: bool
) -> list[Part]:
    rows = open_rows(path)
    if columns is not None:
        return [gene_table(rows, genes, columns)]
    if is_oncoprint(rows):
        return oncoprint(rows, genes)
    if is_oncoprinter(rows):
        return oncoprinter(rows, genes)
    if is_structural(rows):
        return [structural_variants(rows, genes)]
    if is_mutations(rows):
        return [mutations(rows, genes, only_passed=only_passed)]
    return [long_copy_number(rows, genes) if is_long_copy_number(rows) else gene_table(rows, genes)]


def _say_who(parts: Sequence[Part], who: Mapping[str, Sequence[str]], panels: Panels) -> None:
    """Warn where nothing says who was profiled, and refuse where nobody was."""
    silent = [p for p in parts if not p.says_who and p.data not in who and p.data not in panels.of]
    if not any(p.samples for p in parts) and not any(who.values()) and not any(panels.of.values()):
        raise DataError(f"{examples([p.path.name for p in parts])}: no sample is named, and profiled= names none.")
    lists = [p for p in silent if p.data == MUTATIONS and p.cells is None]
    if lists:
        warn(
            f"{examples([p.path.name for p in lists])}: a list of mutations names no sample without one, "
            "and nothing says who else was profiled. Give the case list (profiled=), or shares of "
            "altered tumours are too high.",
            DataWarning,
        )
    prints = [p for p in silent if p.cells is not None]
    if prints:
        warn(
            f"{examples(list(dict.fromkeys(p.path.name for p in prints)))}: an OncoPrint leaves a cell blank where a "
            "gene is not altered and where it was not profiled. All are taken as profiled; say who was, "
            f"profiled={{{', '.join(f'{p.data!r}: names' for p in prints)}}}, or add the clinical tracks "
            "'Profiled in ...' before the download.",
            DataWarning,
        )
