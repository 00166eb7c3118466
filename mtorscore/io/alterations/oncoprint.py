"""OncoPrints of cBioPortal: the table that its page exports, and the list that its OncoPrinter takes.

References
----------
cBioPortal, "OncoPrint" (docs.cbioportal.org/user-guide) and the help of the OncoPrinter tool.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import numpy as np

from mtorscore.errors import FormatError
from mtorscore.io.alterations.gene_names import is_gene, name_of
from mtorscore.io.alterations.kinds import BITS, UNALTERED, kind_of_change, kinds_of_cell, says_nothing
from mtorscore.io.alterations.parts import COPY_NUMBER, MUTATIONS, STRUCTURAL, Cells, Part
from mtorscore.io.alterations.rows import Rows

__all__ = ["is_oncoprint", "is_oncoprinter", "oncoprint", "oncoprinter"]

TRACKS = {"MUTATIONS": MUTATIONS, "CNA": COPY_NUMBER, "STRUCTURAL_VARIANT": STRUCTURAL, "FUSION": STRUCTURAL}
"""Tracks of alterations; expression, protein, heatmaps and clinical tracks are none."""
PROFILED = "profiled in"
"""How the clinical tracks begin that say who was profiled, by the name of a profile."""
PROFILES = {"mutation": MUTATIONS, "copy": COPY_NUMBER, "structural": STRUCTURAL, "fusion": STRUCTURAL}
NOT_DNA = ("exp", "prot")
_MARKS = re.compile(r"(?:_(?:rec|driver|germline))+$", re.IGNORECASE)
_PUTATIVE = re.compile(r"\s*\([^()]*\)$")
_ABSENT = "undefined"
"""How the export writes a case of which the track knows nothing."""


def is_oncoprint(rows: Rows) -> bool:
    """Whether this is the table of an OncoPrint: tracks in rows, cases in columns."""
    return rows.words[:2] == ["track_name", "track_type"]


def is_oncoprinter(rows: Rows) -> bool:
    """Whether this is the list of the OncoPrinter: one alteration a row."""
    return rows.words[:4] == ["sample", "gene", "alteration", "type"]


def oncoprint(rows: Rows, genes: Collection[str] | None) -> list[Part]:
    """Read the table of an OncoPrint.

    Parameters
    ----------
    rows
        The table.
    genes
        Approved symbols that are wanted; None for all.

    Returns
    -------
    list of Part
        One per kind of data. A blank cell is unaltered, unless a track ``Profiled in ...`` says otherwise; a part
        without such a track does not say who was profiled.

    Raises
    ------
    FormatError
        If no track is one of alterations of a gene, a case is repeated, or a word means nothing.
    """
    cases = rows.header[2:]
    if len(set(cases)) < len(cases) or not cases:
        raise FormatError("no cases, or the same twice, in the header.", path=rows.path, line=rows.line)
    tracks: dict[str, list[tuple[int, str, list[str]]]] = {}
    looked: dict[str, list[bool]] = {}
    seen = 0
    for line, (track, form, *cells) in rows:
        data = TRACKS.get(form.upper())
        if data is None:
            _profiled(track, form, cells, looked)
            continue
        # A track may show some alterations of a gene alone, ``TP53: MUT``.
        name = name_of(track.partition(":")[0]) if is_gene(track.partition(":")[0]) else ""
        seen += bool(name)
        if name and (genes is None or name in genes):
            tracks.setdefault(data, []).append((line, name, cells))
        else:
            tracks.setdefault(data, [])
    if not seen:
        raise FormatError(
            "an OncoPrint without a track of mutations, copy number or structural variants of a gene; download it "
            "again with genes in the query.",
            path=rows.path,
            line=rows.line,
        )
    return [_of_tracks(rows, data, cases, found, looked.get(data)) for data, found in tracks.items()]


def _profiled(track: str, form: str, cells: list[str], looked: dict[str, list[bool]]) -> None:
    """Take who was profiled from a clinical track."""
    if form.upper() != "CLINICAL" or not track.lower().startswith(PROFILED):
        return
    for word, data in PROFILES.items():
        if word in track.lower():
            here = [c.lower() == "yes" for c in cells]
            looked[data] = [a or b for a, b in zip(here, looked.get(data, here), strict=True)]
            return


def _of_tracks(
    rows: Rows, data: str, cases: list[str], tracks: list[tuple[int, str, list[str]]], looked: list[bool] | None
) -> Part:
    names = dict.fromkeys(name for _, name, _ in tracks)
    part = Part(rows.path, data, genes=names, samples=dict.fromkeys(cases), says_who=looked is not None)
    part.cells = Cells.of(cases, list(names))
    column = {name: j for j, name in enumerate(names)}
    for line, name, cells in tracks:
        for i, (case, cell) in enumerate(zip(cases, cells, strict=True)):
            kinds = _kinds(rows, line, data, name, cell)
            part.cells.bits[i, column[name]] |= sum({BITS[k] for k in kinds})
            part.cells.known[i, column[name]] |= bool(kinds) or (
                cell != _ABSENT and not says_nothing(cell) and (looked is None or looked[i])
            )
            part.changes += [(case, name, k, cell) for k in kinds if cell.lower() != k]
    return part


def _kinds(rows: Rows, line: int, data: str, gene: str, cell: str) -> list[str]:
    """Return the kinds that a cell names, several joined by a comma."""
    found: list[str] = []
    if cell == _ABSENT or says_nothing(cell):
        return found
    for word in filter(None, (w.strip() for w in cell.split(","))):
        plain = _MARKS.sub("", _PUTATIVE.sub("", word))
        if plain.lower() in UNALTERED:
            continue
        kinds = _kinds_of(data, gene, plain)
        if kinds is None:
            raise FormatError(
                f"{word!r} of {gene} is no alteration that is known; download the OncoPrint again, or write "
                "Missense Mutation, Truncating mutation, Amplification, Deep Deletion or Structural Variant.",
                path=rows.path,
                line=line,
            )
        found += kinds
    return list(dict.fromkeys(found))


def _kinds_of(data: str, gene: str, word: str) -> list[str] | None:
    if data == STRUCTURAL:
        return ["structural variant"]
    return ["unclassified"] if word.lower() in ("other", "other mutation") else kinds_of_cell(gene, word)


def oncoprinter(rows: Rows, genes: Collection[str] | None) -> list[Part]:
    """Read the list of the OncoPrinter: sample, gene, alteration, type; a sample alone in its row has none.

    Parameters
    ----------
    rows
        The table.
    genes
        Approved symbols that are wanted; None for all.

    Returns
    -------
    list of Part
        One per kind of data; all samples of the file, which says who was profiled where some stand there alone.

    Raises
    ------
    FormatError
        If a row names no sample, or a type means nothing.
    """
    events: dict[str, list[tuple[str, str, str, str]]] = {}
    samples: dict[str, None] = {}
    mentioned: set[str] = set()
    alone = False
    for line, cells in rows.padded():
        who, symbol, change, form = cells[:4]
        if not who:
            raise FormatError("a row without a sample.", path=rows.path, line=line)
        samples[who] = None
        if not symbol and not form:
            alone = True
            continue
        name = name_of(symbol)
        mentioned.add(name)
        for data, kind in _event(rows, line, name, change, form):
            events.setdefault(data, []).append((who, name, kind, change))
    if not events:
        raise FormatError("an OncoPrinter list without an alteration of DNA.", path=rows.path, line=rows.line)
    return [
        _of_events(rows, data, samples, [e for e in found if genes is None or e[1] in genes], mentioned, alone)
        for data, found in events.items()
    ]


def _event(rows: Rows, line: int, gene: str, change: str, form: str) -> Iterable[tuple[str, str]]:
    """Return the kind of data and of alteration of one row; nothing for expression and protein."""
    word = _MARKS.sub("", form.strip())
    low = word.lower()
    if low in NOT_DNA or not gene:
        return []
    if low in ("fusion", "structural_variant", "sv"):
        return [(STRUCTURAL, "structural variant")]
    kinds = _kinds_of(COPY_NUMBER, gene, change if low == "cna" else word)
    if not kinds or (low == "cna" and kinds == ["unclassified"]):
        raise FormatError(
            f"the type {form!r} with the alteration {change!r} of {gene} is not known; the OncoPrinter takes MISSENSE, "
            "INFRAME, TRUNC, SPLICE, PROMOTER, OTHER, FUSION, and CNA with AMP, GAIN, HETLOSS or HOMDEL.",
            path=rows.path,
            line=line,
        )
    if low != "cna" and kinds == ["missense"] and kind_of_change(gene, change) == "missense hotspot":
        kinds = ["missense hotspot"]
    return [(COPY_NUMBER if low == "cna" else MUTATIONS, kind) for kind in kinds]


def _of_events(
    rows: Rows, data: str, samples: dict[str, None], events: list[tuple[str, str, str, str]], mentioned: set[str],
    alone: bool,
) -> Part:  # fmt: skip
    part = Part(rows.path, data, samples=dict(samples), says_who=alone, mentioned=set(mentioned))
    if data != COPY_NUMBER:
        for event in events:
            part.add(*event)
        return part
    part.genes = dict.fromkeys(e[1] for e in events)
    part.cells = Cells.of(list(samples), list(part.genes))
    part.cells.known = np.ones_like(part.cells.known)
    row, column = ({n: i for i, n in enumerate(names)} for names in (samples, part.genes))
    for who, gene, kind, _ in events:
        part.cells.bits[row[who], column[gene]] |= BITS[kind]
    return part
