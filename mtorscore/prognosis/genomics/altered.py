"""Which tumours are altered in a gene, which are not, and of which that is not known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mtorscore.errors import DataError, DataWarning, examples, warn
from mtorscore.io.alterations.sample_names import NORMAL, PATIENT, SAMPLE, barcode, is_barcode, sample_type

__all__ = ["Altered", "matched"]

_COPY = frozenset({"amplification", "deep deletion", "gain", "shallow deletion"})
_BY_LIST = ("profiled_mutations", "profiled_calls")


def matched(names: Iterable[object], index: pd.Index) -> list[int]:
    """Return for each observation of `index` the position of its sample among `names`, -1 where it is not there.

    Names are compared as they are; TCGA barcodes by sample (``TCGA-DD-A001-01``), and by patient where one of the two
    names no sample: then normal tissue has nothing, and of several samples the same vial, else the primary tumour, and
    the first barcode in alphabetical order, is taken.

    Raises
    ------
    DataError
        If no observation is found.
    """
    listed = [str(n) for n in names]
    whole = {n: i for i, n in enumerate(listed)}
    out = [whole.get(str(o), -1) for o in index]
    if max(out, default=-1) < 0 and all(map(is_barcode, [*listed, *index])):
        out = _matched_barcodes(listed, [str(o) for o in index])
    if max(out, default=-1) < 0:
        raise DataError(
            f"none of {len(index)} observations ({examples(index)}) is among the {len(listed)} samples of the "
            f"alterations ({examples(listed)}); their names must agree."
        )
    return out


def _matched_barcodes(listed: list[str], observations: list[str]) -> list[int]:
    size = SAMPLE if min(map(len, [*listed, *observations])) >= SAMPLE else PATIENT
    found: dict[str, list[tuple[int, str, int]]] = {}
    for i, name in enumerate(listed):
        code = sample_type(name)
        if size == SAMPLE or code is None or code < NORMAL:
            found.setdefault(barcode(name)[:size], []).append((code or 0, barcode(name), i))
    out = []
    for name in map(barcode, observations):
        code = sample_type(name)
        here = [] if size == PATIENT and code is not None and code >= NORMAL else found.get(name[:size], [])
        vial = name[: SAMPLE + 1]
        same = [one for one in here if len(vial) > SAMPLE and one[1].startswith(vial)]
        out.append(min(same or here)[2] if here else -1)
    return out


@dataclass
class Altered:
    """Alterations of the observations at hand.

    Attributes
    ----------
    calls
        Observations x genes: 1, 0 or NaN.
    kinds
        Observations x genes of text; None where only 0 and 1 are known.
    profiled
        Kind of data -> observations x genes of bool.
    """

    calls: pd.DataFrame
    kinds: pd.DataFrame | None
    profiled: dict[str, pd.DataFrame]

    @classmethod
    def of(cls, alterations: Any, index: pd.Index) -> Altered:
        """Take the alterations of some observations, from `io.read_alterations` or a DataFrame of 0, 1 and NaN.

        Raises
        ------
        DataError
            If no observation is there, or the values are something else.

        Warns
        -----
        DataWarning
            If less than half of the observations are there.
        """
        frame = alterations.to_df() if hasattr(alterations, "to_df") else alterations
        if not isinstance(frame, pd.DataFrame):
            raise DataError(
                f"Alterations must be what io.read_alterations returns, or a DataFrame of 0 and 1, not {type(frame)}."
            )
        values = frame.to_numpy(dtype=np.float64)
        if not np.isin(values[np.isfinite(values)], (0, 1)).all():
            raise DataError("alterations must be 1 (altered), 0 (not altered) or missing (not profiled).")
        at = np.array(matched(frame.index, index))
        here = int((at >= 0).sum())
        if here < 0.5 * len(index):
            warn(f"{here} of {len(index)} observations were profiled for alterations.", DataWarning)
        layers = dict(getattr(alterations, "layers", {}))
        taken = {
            str(name): _taken(layers[name], at, index, frame.columns, "" if name == "kind" else False)
            for name in layers
        }
        kinds = taken.pop("kind", None)
        taken.pop("profiled", None)
        return cls(_taken(values, at, index, frame.columns, np.nan), kinds, taken)

    def of_gene(self, gene: str, kinds: Sequence[str]) -> tuple[pd.Series, int]:
        """Return 1, 0 or NaN per observation, and how many are left out for an alteration of another kind.

        Parameters
        ----------
        gene
            Approved symbol, one of the columns.
        kinds
            Kinds that count. A tumour counts as not altered where `looked_at` says so; one whose gene is altered in
            another way is neither. What was found counts, whatever else was looked at.
        """
        calls = self.calls[gene].copy()
        if self.kinds is None:
            return calls, 0
        words = [set(w.split("; ")) - {""} for w in self.kinds[gene]]
        hit = np.array([bool(w & set(kinds)) for w in words])
        known = self.looked_at(gene, kinds).to_numpy()
        other = calls.eq(1).to_numpy() & ~hit
        out = pd.Series(np.where(hit, 1.0, np.where(known & ~other, 0.0, np.nan)), calls.index, name=gene)
        return out, int(other.sum())

    def looked_at(self, gene: str, kinds: Sequence[str]) -> pd.Series:
        """Return per observation whether every kind of data that speaks of these kinds in this gene looked at it.

        Shares are of these observations: were others counted when altered, though they cannot be when not altered,
        shares would be too high.

        Parameters
        ----------
        gene
            Approved symbol, one of the columns.
        kinds
            Kinds that count.
        """
        calls = self.calls[gene]
        if self.kinds is None:
            return calls.notna()
        known = np.ones(len(calls), dtype=bool)
        seen = {name: frame[gene].to_numpy(dtype=bool) for name, frame in self.profiled.items()}
        lists = [seen[n] for n in _BY_LIST if n in seen and seen[n].any()]
        if lists:
            known &= np.logical_or.reduce(lists)
        levels = seen.get("profiled_copy_number", np.zeros(len(calls), dtype=bool))
        if set(kinds) & _COPY and levels.any():
            known &= levels
        elif not lists:
            known &= calls.notna().to_numpy()
        return pd.Series(known, calls.index, name=gene)


def _taken(values: Any, at: Any, index: pd.Index, columns: pd.Index, missing: Any) -> pd.DataFrame:
    rows = np.asarray(values)[np.maximum(at, 0)].copy()
    rows[at < 0] = missing
    return pd.DataFrame(rows, index=index, columns=columns)
