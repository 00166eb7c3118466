"""From what files say to one table of samples and genes, with who was profiled for what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataWarning, FormatError, examples, warn
from mtorscore.io.alterations.kinds import BITS, COUNTED, KINDS, kinds_in_words
from mtorscore.io.alterations.parts import CALLS, COPY_NUMBER, DATA, MUTATIONS, STRUCTURAL, Cells, Part
from mtorscore.io.alterations.profiling import Panels, covers
from mtorscore.io.alterations.sample_names import one_name_each

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["assemble"]

MOST_CELLS = 200_000_000
WHOLE_EXOME = 1000
"""A list of mutations that names fewer genes is that of a panel, or an excerpt."""
Mask = npt.NDArray[np.bool_]


def assemble(
    parts: Sequence[Part],
    genes: Sequence[str] | None,
    profiled: Mapping[str, Sequence[str]],
    panels: Panels,
    *,
    shallow: bool,
) -> AnnData:
    """Return the table.

    Parameters
    ----------
    parts
        What each file says.
    genes
        Approved symbols, in the order of the columns; None for all that are named.
    profiled
        Kind of data -> who was profiled for it.
    panels
        Gene panels.
    shallow
        Whether gains and shallow deletions count as alterations.

    Returns
    -------
    anndata.AnnData
        See `mtorscore.io.read_alterations`.
    """
    import anndata as ad

    profiled, said = one_name_each(parts, profiled, panels)
    names = list(genes) if genes is not None else _named(parts, panels)
    samples = list(dict.fromkeys(s for p in parts for s in p.samples))
    samples = list(dict.fromkeys([*samples, *(s for data in _lists(parts) for s in _listed(data, profiled, panels))]))
    if len(samples) * len(names) > MOST_CELLS:
        raise FormatError(
            f"{len(samples)} samples x {len(names)} genes are too many for one table; name the genes that are wanted, "
            "genes=[...].",
            path=parts[0].path,
        )
    rows, columns = {s: i for i, s in enumerate(samples)}, {g: j for j, g in enumerate(names)}
    bits = _bits(parts, rows, columns)
    masks = _masks(parts, rows, columns, profiled, panels, bits)
    seen = np.logical_or.reduce(list(masks.values())) if masks else np.zeros(bits.shape, dtype=np.bool_)
    counted = sum(BITS[k] for k in (KINDS if shallow else COUNTED))
    altered = np.where(seen, ((bits & counted) > 0).astype(np.float32), np.float32("nan"))
    adata = ad.AnnData(altered, obs=pd.DataFrame(index=pd.Index(samples)), var=pd.DataFrame(index=pd.Index(names)))
    adata.layers["kind"] = _words(bits)
    adata.layers["profiled"] = seen
    for data, mask in masks.items():
        adata.layers[f"profiled_{data}"] = mask
    adata.uns["alterations"] = {
        "files": [p.path.name for p in parts],
        "data": list(masks),
        "left_out": dict(sum((p.left_out for p in parts), Counter())),
        "counted": list(KINDS if shallow else COUNTED),
        "samples": said,
        "not_mentioned": _not_mentioned(parts, panels, names),
        "changes": _changes(parts, rows, columns),
    }
    return adata


def _named(parts: Sequence[Part], panels: Panels) -> list[str]:
    found = dict.fromkeys(g for p in parts for g in p.named())
    return sorted(found | dict.fromkeys(g for genes in panels.genes.values() for g in genes))


def _lists(parts: Sequence[Part]) -> list[str]:
    """Return the kinds of data in which a sample without an event is in no row."""
    return [d for d in (MUTATIONS, STRUCTURAL) if any(p.data == d and p.cells is None for p in parts)]


def _listed(data: str, profiled: Mapping[str, Sequence[str]], panels: Panels) -> list[str]:
    """Return who a case list or the matrix of panels says was profiled."""
    if data in profiled:
        return list(profiled[data])
    return [s for s, panel in panels.of.get(data, {}).items() if panel]


def _not_mentioned(parts: Sequence[Part], panels: Panels, names: Sequence[str]) -> list[str]:
    """Return genes of which nothing says that anybody looked at them: no file names them, and its genes are few."""
    lists = [p for p in parts if p.data == MUTATIONS and p.cells is None]
    mentioned = {g for p in lists for g in p.mentioned}
    if panels.genes or panels.of or not lists or len(mentioned) >= WHOLE_EXOME:
        return []
    return [g for g in names if g not in mentioned and not any(g in p.named() for p in parts if p not in lists)]


def _bits(parts: Sequence[Part], rows: Mapping[str, int], columns: Mapping[str, int]) -> npt.NDArray[np.uint16]:
    out = np.zeros((len(rows), len(columns)), dtype=np.uint16)
    for part in parts:
        for (sample, gene), bits in part.bits.items():
            if gene in columns:
                out[rows[sample], columns[gene]] |= bits
        if part.cells is not None:
            here, own = _places(part.cells, rows, columns)
            out[here] |= part.cells.bits[:, own]
    return out


def _places(table: Cells, rows: Mapping[str, int], columns: Mapping[str, int]) -> tuple[Any, list[int]]:
    """Return where a table lies in the whole, and which of its columns these are."""
    own = [j for j, g in enumerate(table.genes) if g in columns]
    return np.ix_([rows[s] for s in table.samples], [columns[table.genes[j]] for j in own]), own


def _masks(
    parts: Sequence[Part],
    rows: Mapping[str, int],
    columns: Mapping[str, int],
    profiled: Mapping[str, Sequence[str]],
    panels: Panels,
    bits: npt.NDArray[np.uint16],
) -> dict[str, Mask]:
    """Return kind of data -> which cells it speaks of."""
    masks: dict[str, Mask] = {}
    for data in DATA:
        own = [p for p in parts if p.data == data]
        if not own:
            continue
        mask = np.zeros(bits.shape, dtype=np.bool_)
        lists = [p for p in own if p.cells is None and data not in (COPY_NUMBER, CALLS)]
        for table in (p.cells for p in own if p.cells is not None):
            here, at = _places(table, rows, columns)
            mask[here] |= table.known[:, at]
        if lists:
            mask[[rows[s] for s in _who(data, lists, masks, rows, profiled, panels)]] = True
        _by_panel(mask, data, rows, columns, panels)
        if data in profiled and not lists:
            mask[[i for s, i in rows.items() if s not in set(profiled[data])]] = False
        # What was found was looked for, whatever a list says.
        mask |= _bits(own, rows, columns) > 0
        masks[data] = mask
    return masks


def _who(
    data: str,
    own: Sequence[Part],
    masks: Mapping[str, Mask],
    rows: Mapping[str, int],
    profiled: Mapping[str, Sequence[str]],
    panels: Panels,
) -> list[str]:
    """Return who was profiled by lists of events: as said, else everybody whom the lists name."""
    inside = dict.fromkeys(s for p in own for s in p.samples)
    listed = dict.fromkeys(_listed(data, profiled, panels))
    if not listed:
        others = masks.get(MUTATIONS) if data == STRUCTURAL else None
        beside = [] if others is None else [s for s, i in rows.items() if others[i].any()]
        return list(dict.fromkeys([*inside, *beside]))
    beyond = [s for s in inside if s not in listed]
    if beyond:
        warn(
            f"{own[0].path.name}: {len(beyond)} sample(s) have {data.replace('_', ' ')} and are not among those "
            f"said to be profiled ({examples(beyond)}); they are taken as profiled.",
            DataWarning,
        )
    return list(listed | inside)


def _by_panel(mask: Mask, data: str, rows: Mapping[str, int], columns: Mapping[str, int], panels: Panels) -> None:
    if not panels.genes and data not in panels.of:
        return
    if data == CALLS:
        return
    names: Collection[str] = columns
    for sample, i in rows.items():
        covered = covers(panels, data, sample, names)
        if covered is not None:
            mask[i] &= np.array(covered, dtype=np.bool_)


def _words(bits: npt.NDArray[np.uint16]) -> npt.NDArray[Any]:
    words = np.full(sum(BITS.values()) + 1, "", dtype=object)
    for code in np.flatnonzero(np.bincount(bits.ravel())):
        words[code] = kinds_in_words(int(code))
    out: npt.NDArray[Any] = words[bits]
    return out


def _changes(parts: Sequence[Part], rows: Mapping[str, int], columns: Mapping[str, int]) -> pd.DataFrame:
    kept = [c for p in parts for c in p.changes if c[1] in columns and c[0] in rows]
    return pd.DataFrame(kept, columns=["sample", "gene", "kind", "change"], dtype=object)
