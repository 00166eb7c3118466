"""Names of samples in files of alterations: TCGA barcodes of different lengths name the same tumour."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mtorscore.errors import DataWarning, examples, warn
from mtorscore.io.alterations.parts import Cells, Part
from mtorscore.io.alterations.profiling import Panels

__all__ = ["NORMAL", "PATIENT", "SAMPLE", "barcode", "is_barcode", "one_name_each", "sample_type"]

PATIENT, SAMPLE = 12, 15
NORMAL = 10
"""Codes of sample types from which on a TCGA sample is no tumour."""
_TCGA = re.compile(r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}(-\d{2}|$)")


def barcode(name: object) -> str:
    """Return a TCGA barcode as the portals write it (``TCGA.dd.a001.01`` of R's columns included)."""
    return str(name).upper().replace(".", "-")


def is_barcode(name: object) -> bool:
    """Whether a name is a TCGA barcode of a patient, or of a sample and what was made of it."""
    return bool(_TCGA.match(barcode(name)))


def sample_type(name: object) -> int | None:
    """Return the code of a sample (1 primary tumour, 2 recurrent, 11 normal tissue); None of a patient."""
    code = barcode(name)[13:15]
    return int(code) if code.isdigit() else None


def one_name_each(
    parts: Sequence[Part], profiled: Mapping[str, Sequence[str]], panels: Panels
) -> tuple[dict[str, list[str]], str]:
    """Bring TCGA barcodes of different lengths and forms, of one file or another, to the samples that all name.

    Where some name patients alone, a patient is the first of its tumour samples (the primary one), whose alterations
    are taken; normal tissue is left out.

    Parameters
    ----------
    parts
        What each file says; changed in place.
    profiled
        Kind of data -> who was profiled for it.
    panels
        Gene panels; changed in place.

    Returns
    -------
    dict, str
        `profiled` with the new names, and what was done, in words.

    Warns
    -----
    DataWarning
        If samples are left out.
    """
    listed = {k: list(v) for k, v in profiled.items()}
    groups = [list(p.samples) for p in parts] + list(listed.values()) + [list(of) for of in panels.of.values()]
    everyone = list(dict.fromkeys(n for g in groups for n in g))
    if not everyone or not all(map(is_barcode, everyone)):
        return listed, "as in the files"
    lengths = {len(n) for n in everyone}
    size = max(lengths) if len(lengths) == 1 else PATIENT if min(lengths) < SAMPLE else SAMPLE
    if len(lengths) == 1 and all(barcode(n) == n for n in everyone):
        return listed, "as in the files"
    new = {n: barcode(n)[:size] for n in everyone}
    if size == PATIENT:
        new = _of_patients(new)
    for part in parts:
        _rename(part, new)
    panels.of = {data: {new[n]: p for n, p in of.items() if n in new} for data, of in panels.of.items()}
    what = {PATIENT: " cut to patients", SAMPLE: " cut to samples"}.get(size, "") if len(lengths) > 1 else ""
    return {k: _named(v, new) for k, v in listed.items()}, f"TCGA barcodes{what or ' as the portals write them'}"


def _named(names: Iterable[str], new: Mapping[str, str]) -> list[str]:
    return list(dict.fromkeys(new[n] for n in names if n in new))


def _of_patients(new: Mapping[str, str]) -> dict[str, str]:
    """Return name -> patient of those that name a patient, or the first of the patient's tumour samples."""
    first: dict[str, int] = {}
    for name, patient in new.items():
        code = sample_type(name)
        if code is not None and code < NORMAL:
            first[patient] = min(code, first.get(patient, NORMAL))
    kept = {n: p for n, p in new.items() if sample_type(n) in (None, first.get(p))}
    lost = [n for n in new if n not in kept]
    if lost:
        warn(
            f"{len(lost)} sample(s) are left out ({examples(lost)}): some names are of patients, whose first tumour "
            "sample is taken; normal tissue is none. Name the samples everywhere to keep them apart.",
            DataWarning,
        )
    return kept


def _rename(part: Part, new: Mapping[str, str]) -> None:
    part.samples = dict.fromkeys(_named(part.samples, new))
    bits: dict[tuple[str, str], int] = {}
    for (sample, gene), found in part.bits.items():
        if sample in new:
            key = (new[sample], gene)
            bits[key] = bits.get(key, 0) | found
    part.bits = bits
    part.changes = [(new[s], gene, kind, change) for s, gene, kind, change in part.changes if s in new]
    if part.cells is not None:
        part.cells = _merged(part.cells, new)


def _merged(table: Cells, new: Mapping[str, str]) -> Cells:
    """Return the table under new names; samples that become one are laid over each other."""
    names = _named(table.samples, new)
    at = {n: i for i, n in enumerate(names)}
    out = Cells.of(names, table.genes)
    kept = [i for i, s in enumerate(table.samples) if s in new]
    rows = [at[new[table.samples[i]]] for i in kept]
    np.bitwise_or.at(out.bits, rows, table.bits[kept])
    np.logical_or.at(out.known, rows, table.known[kept])
    return out
