"""Who was profiled for what: case lists, gene panels, and the matrix of panels of a cBioPortal study."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtorscore.errors import FormatError, examples
from mtorscore.io.alterations.gene_names import approved
from mtorscore.io.alterations.parts import COPY_NUMBER, DATA, MUTATIONS, STRUCTURAL
from mtorscore.io.alterations.rows import open_rows, words_of
from mtorscore.io.tables import file_bytes

__all__ = ["Panels", "case_list", "covers", "read_panels", "read_profiled"]

WHOLE = frozenset({"wes", "wxs", "wgs", "whole exome", "whole genome", "exome"})
"""Names of a panel that holds every gene."""
ABSENT = frozenset({"", "na", "n/a", "none", "nan", "not profiled"})
COLUMNS = {
    "mutations": MUTATIONS, "mutation": MUTATIONS, "cna": COPY_NUMBER, "gistic": COPY_NUMBER,
    "copy_number": COPY_NUMBER, "structural_variants": STRUCTURAL, "structural_variant": STRUCTURAL, "sv": STRUCTURAL,
    "fusion": STRUCTURAL, "fusions": STRUCTURAL,
}  # fmt: skip


@dataclass
class Panels:
    """Gene panels.

    Attributes
    ----------
    genes
        Panel -> its genes.
    of
        Kind of data -> sample -> panel; "" where the sample was not profiled for it.
    everybody
        The panel of all samples, where no matrix says who has which.
    """

    genes: dict[str, frozenset[str]] = field(default_factory=dict)
    of: dict[str, dict[str, str]] = field(default_factory=dict)
    everybody: str = ""


def case_list(path: Path) -> list[str]:
    """Return the samples of a case list of cBioPortal, of a file with one name a line, or of a table's first column.

    Raises
    ------
    FormatError
        If there is no such file, or it names nobody.
    """
    lines = file_bytes.load(path).data.decode().split("\n")
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and key.strip() == "case_list_ids":
            return _somebody(value.split(), path)
    if any(line.startswith("cancer_study_identifier:") for line in lines):
        raise FormatError(
            "a meta file without case_list_ids; give the case list, such as cases_sequenced.txt.", path=path
        )
    full = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not any("\t" in line or "," in line for line in full):
        named = words_of(full[0]) in ("sample", "sample_id", "patient", "patient_id", "barcode") if full else False
        return _somebody(full[1:] if named else full, path)
    rows = open_rows(path)
    at = rows.column("sample_id", "tumor_sample_barcode", "sample") or 0
    return _somebody([cells[at] for _, cells in rows], path)


def _somebody(names: Iterable[str], path: Path) -> list[str]:
    found = list(dict.fromkeys(filter(None, names)))
    if not found:
        raise FormatError("the list names no sample.", path=path)
    return found


def read_profiled(given: Any) -> dict[str, list[str]]:
    """Return kind of data -> samples that were profiled for it, as a user gives them.

    Parameters
    ----------
    given
        None, a file (`case_list`), names of samples, or a mapping of kinds of data to either.

    Raises
    ------
    FormatError
        If a file cannot be read, or a kind of data is unknown.
    """
    if given is None:
        return {}
    if isinstance(given, Mapping):
        unknown = [k for k in given if k not in DATA]
        if unknown:
            raise FormatError(f"profiled= speaks of {examples(unknown)}; kinds of data are {', '.join(DATA)}.")
        return {str(k): _names(v) for k, v in given.items()}
    names = _names(given)
    return dict.fromkeys((MUTATIONS, STRUCTURAL), names)


def _names(given: Any) -> list[str]:
    if isinstance(given, str | Path):
        return case_list(Path(given))
    return list(dict.fromkeys(map(str, given)))


def read_panels(paths: Sequence[Path]) -> Panels:
    """Read gene panels and the matrix that says which sample has which.

    Parameters
    ----------
    paths
        Files: a panel (``stable_id:`` and ``gene_list:``), a list of genes, one a line, or the matrix
        (``SAMPLE_ID`` and per kind of data the panel).

    Raises
    ------
    FormatError
        If the matrix names a panel that no file describes, or several panels come without a matrix.
    """
    panels, where = Panels(), None
    for path in paths:
        text = file_bytes.load(path).data.decode()
        if "gene_list:" in text:
            name, genes = _panel(text, path)
            panels.genes[name] = genes
        elif "sample_id" in (words := _first_words(text)) and set(words) & set(COLUMNS):
            where = path
            _matrix(path, panels)
        else:
            panels.genes[path.stem] = frozenset(approved(line.strip() for line in text.split("\n")))
    if where is None:
        if len(panels.genes) > 1:
            raise FormatError(
                f"{len(panels.genes)} panels and nothing says which sample has which; give data_gene_matrix.txt too.",
                path=paths[0] if paths else None,
            )
        panels.everybody = next(iter(panels.genes), "")
        return panels
    used = {p for of in panels.of.values() for p in of.values() if p and p.lower() not in WHOLE}
    missing = sorted(used - set(panels.genes))
    if missing:
        raise FormatError(
            f"no file describes the panel(s) {examples(missing)}; give data_gene_panel_{missing[0].lower()}.txt too.",
            path=where,
        )
    return panels


def _first_words(text: str) -> list[str]:
    line = next((part for part in text.split("\n") if part.strip() and not part.startswith("#")), "")
    return [words_of(part) for part in line.split("\t")]


def _panel(text: str, path: Path) -> tuple[str, frozenset[str]]:
    facts = dict(part.split(":", 1) for part in text.split("\n") if ":" in part)
    genes = frozenset(approved(facts["gene_list"].split())) if "gene_list" in facts else frozenset()
    if not genes:
        raise FormatError("the panel lists no gene.", path=path)
    return facts.get("stable_id", path.stem).strip(), genes


def _matrix(path: Path, panels: Panels) -> None:
    rows = open_rows(path)
    sample = rows.column("sample_id")
    columns = {i: COLUMNS[w] for i, w in enumerate(rows.words) if w in COLUMNS}
    for _, cells in rows:
        for i, data in columns.items():
            name = cells[i]
            panels.of.setdefault(data, {})[cells[sample or 0]] = "" if name.lower() in ABSENT else name


def covers(panels: Panels, data: str, sample: str, genes: Collection[str]) -> list[bool] | None:
    """Return which genes a sample was profiled for; None where nothing is said of it.

    Parameters
    ----------
    panels
        What `read_panels` returned.
    data
        Kind of data.
    sample
        Its name.
    genes
        Approved symbols.
    """
    panel = panels.of.get(data, {}).get(sample) if data in panels.of else (panels.everybody or None)
    if panel is None:
        return None
    if not panel:
        return [False] * len(genes)
    if panel.lower() in WHOLE and panel not in panels.genes:
        return [True] * len(genes)
    return [g in panels.genes[panel] for g in genes]
