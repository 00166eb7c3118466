"""On which scale a matrix is, with the evidence, and explicit ways from one to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mtorscore._doors import option
from mtorscore.errors import DataError, DataWarning, examples, warn
from mtorscore.io.tables.cell_text import are_levels
from mtorscore.pp._factors import median_of_ratios, tmm

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = [
    "LARGEST_LOG",
    "UNITS",
    "Scale",
    "check_signs",
    "check_values",
    "detect_scale",
    "library_sizes",
    "normalise",
    "warn_calls",
]

LINEAR = ("counts", "tpm", "fpkm", "rsem", "linear")
LOGS = ("log2", "ln", "rma")
# No logarithm of an abundance or intensity is larger.
LARGEST_LOG = 100.0
SMALL_LOG = 6.0
"""The largest log2 value of a whole transcriptome is beyond; below it may be of another base, or taken twice."""
UNITS = (*LINEAR, *LOGS, "zscore")


@dataclass(frozen=True)
class Scale:
    """What a matrix measures.

    Attributes
    ----------
    kind
        ``counts`` (whole numbers), ``tpm`` (columns sum to 1e6: TPM or CPM), ``rsem`` (upper-quartile scaled),
        ``fpkm`` (other linear abundance with decimals), ``linear`` (intensities of an array), ``log2`` or ``ln``
        (logarithms of an abundance), ``rma`` (log2 intensities of an array), ``zscore`` (per gene, or other signed
        statistics).
    log
        ``"none"``, ``"log2"`` or ``"ln"``.
    evidence
        What led there.
    certain
        False where another reading is possible.
    """

    kind: str
    log: str
    evidence: tuple[str, ...]
    certain: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for ``uns``."""
        return {"kind": self.kind, "log": self.log, "evidence": list(self.evidence), "certain": self.certain}


def _values(x: Any, most: int = 200) -> npt.NDArray[np.float64]:
    """Return at most `most` evenly spread observations as a dense array."""
    rows = np.unique(np.linspace(0, x.shape[0] - 1, min(most, x.shape[0])).astype(int))
    block = x[rows]
    return np.asarray(block.toarray() if sparse.issparse(block) else block, dtype=np.float64)


def detect_scale(adata: AnnData, layer: str | None = None) -> Scale:
    """Recognise the scale of a matrix; nothing is changed.

    Parameters
    ----------
    adata
        Observations x genes.
    layer
        Layer to look at instead of ``X``.

    Returns
    -------
    Scale
        The scale and the evidence. Up to 200 observations, evenly spread, are looked at.

    Raises
    ------
    DataError
        If there are no values.
    """
    if layer is not None and layer not in adata.layers:
        raise DataError(f"There is no layer {layer!r}; there are {examples(filter(None, adata.layers)) or 'none'}.")
    x = adata.X if layer is None else adata.layers[layer]
    if x is None or 0 in x.shape:
        raise DataError("there are no values: the object has no observations or no genes.")
    v = _values(x)
    finite = v[np.isfinite(v)]
    if not finite.size:
        raise DataError("every value is missing.")
    low, high = float(finite.min()), float(finite.max())
    whole = float(np.mean(finite == np.round(finite)))
    zeros = float(np.mean(finite == 0))
    facts = [f"values from {low:.4g} to {high:.4g}", f"{whole:.0%} whole numbers, {zeros:.0%} zeros"]
    if low < 0:
        return _signed(v, low, high, facts)
    if whole == 1.0:
        if high <= 1:
            return Scale("counts", "none", (*facts, "only 0 and 1: presence calls rather than counts"), certain=False)
        if (other := _no_counts(v, facts)) is not None:
            return other
        return Scale("counts", "none", (*facts, "non-negative whole numbers"), certain=high > 30)
    if high <= 50:
        return _logged(v, low, high, zeros, facts)
    return _linear(v, facts)


def _signed(v: npt.NDArray[np.float64], low: float, high: float, facts: list[str]) -> Scale:
    if v.shape[0] > 2:
        with np.errstate(invalid="ignore"):
            mean = np.nanmedian(np.abs(np.nanmean(v, axis=0)))
            spread = np.nanmedian(np.nanstd(v, axis=0))
        facts.append(f"per gene, median |mean| {mean:.2g} and median SD {spread:.2g}")
        if mean < 0.3 and 0.7 < spread < 1.3:
            return Scale("zscore", "none", (*facts, "each gene is centred with unit spread"))
    if high <= 50 and low >= -50:
        return Scale(
            "log2", "log2", (*facts, "signed values of logarithmic size: log ratios or corrected logarithms"), False
        )
    negative = float(np.mean(v[np.isfinite(v)] < 0))
    facts.append(f"{negative:.0%} negative values")
    if high > 3 * -low or (high > -low and negative < 0.5):
        why = "negative values on a linear scale: intensities of an array after background correction"
        return Scale("linear", "none", (*facts, why), False)
    return Scale("zscore", "none", (*facts, "signed values too large for logarithms: a test statistic"), False)


def _no_counts(v: npt.NDArray[np.float64], facts: list[str]) -> Scale | None:
    """Return what whole numbers are that are hardly counts: rounded TPM or CPM, or ranks."""
    if v.shape[0] < 2 or v.shape[1] < 10:
        return None
    total = np.nansum(v, axis=1)
    if np.all(np.abs(total / 1e6 - 1) < 0.002):
        why = "whole numbers that sum to a million in every observation: rounded TPM or CPM rather than counts"
        return Scale("tpm", "none", (*facts, why), certain=False)
    ordered = np.sort(v, axis=1)
    if (ordered == ordered[0]).all() and len(np.unique(v[0])) > 0.5 * v.shape[1]:
        why = "every observation holds the same numbers: ranks rather than counts"
        return Scale("counts", "none", (*facts, why), certain=False)
    return None


def _logged(v: npt.NDArray[np.float64], low: float, high: float, zeros: float, facts: list[str]) -> Scale:
    sums = {
        "log2": np.nansum(np.exp2(v) - 1, axis=1),
        "ln": np.nansum(np.expm1(np.minimum(v, 50)), axis=1),
    }
    spreads = {base: float(np.max(np.abs(total / max(np.median(total), 1e-9) - 1))) for base, total in sums.items()}
    base = min(spreads, key=lambda b: spreads[b])
    if v.shape[0] > 1 and spreads[base] < 0.01:
        middle = float(np.median(sums[base]))
        if middle > 0:
            facts.append(f"{'2' if base == 'log2' else 'e'}^x - 1 sums to {middle:.4g} in every observation")
            return Scale(base, base, tuple(facts))
    if low > 1 and zeros == 0 and high < 25:
        why = "no zeros and a floor above 1: log2 intensities of an array"
        return Scale("rma", "log2", (*facts, _with_doubt(why, high)), certain=high >= SMALL_LOG)
    if high <= 1:
        why = "all between 0 and 1: proportions, such as methylation, rather than expression"
        return Scale("log2", "log2", (*facts, why), certain=False)
    tens = np.nansum(10.0 ** np.minimum(v, 50) - 1, axis=1)
    if v.shape[0] > 1 and float(np.max(np.abs(tens / max(float(np.median(tens)), 1e-9) - 1))) < 0.01:
        why = "10^x - 1 sums to the same in every observation: logarithms to base 10; multiply by log2(10) for base 2"
        return Scale("log2", "log2", (*facts, why), certain=False)
    # A matrix of counts or of a part of the genes has no constant sum that would tell the base.
    why = _with_doubt("non-negative decimals below 50: logarithms of an abundance", high)
    return Scale("log2", "log2", (*facts, why), SMALL_LOG <= high < 30)


def _with_doubt(why: str, high: float) -> str:
    small = f"; {high:.3g} is small for log2: base 10 or e, or logarithms taken twice?"
    return why + (small if high < SMALL_LOG else "")


def _linear(v: npt.NDArray[np.float64], facts: list[str]) -> Scale:
    total = np.nansum(v, axis=1)
    facts.append(f"observations sum to {total.min():.4g} - {total.max():.4g}")
    if np.all(np.abs(total / 1e6 - 1) < 0.02):
        return Scale("tpm", "none", (*facts, "every observation sums to a million"))
    if float(np.mean(v == 0)) == 0 and v.shape[1] > 50:
        return Scale("linear", "none", (*facts, "no zeros: intensities of an array before the logarithm"), False)
    quartile = np.nanpercentile(v, 75, axis=1)
    middle = float(np.median(quartile))
    if v.shape[0] > 2 and middle > 0 and float(np.std(quartile)) / middle < 0.05:
        spread = float(np.std(quartile)) / middle
        facts.append(f"the upper quartile of every observation is near {middle:.4g} (spread {spread:.1%})")
        return Scale("rsem", "none", tuple(facts), certain=spread < 0.02)
    if _estimated_counts(v):
        why = "decimals whose sums differ and are in the millions: estimated counts (Salmon, kallisto, RSEM)"
        return Scale("counts", "none", (*facts, why), certain=False)
    return Scale("fpkm", "none", (*facts, "linear decimals whose sums differ between observations"), certain=False)


def _estimated_counts(x: npt.NDArray[np.float64]) -> bool:
    """Whether sums of observations are as large as sequencing depths and differ as these do."""
    total = np.nansum(x, axis=1)
    middle = float(np.median(total))
    return bool(middle >= 1e6 and np.ptp(total) > 0.02 * middle)


def check_values(adata: AnnData, units: str) -> None:
    """Raise DataError where values contradict the units that the cohort or the user declares.

    Parameters
    ----------
    adata
        Observations x genes.
    units
        One of the kinds of `Scale`.
    """
    if units not in UNITS:
        raise DataError(f"unknown units {units!r}; known: {', '.join(UNITS)}.")
    x: Any = adata.X.tocsr() if sparse.issparse(adata.X) else np.asarray(adata.X)
    if units in LINEAR:
        bad = (x < 0).nonzero()
        if len(bad[0]):
            raise DataError(
                f"{len(bad[0])} negative value(s) in a matrix declared as {units} (first: sample "
                f"{adata.obs_names[bad[0][0]]}, gene {adata.var_names[bad[1][0]]}); it holds logarithms, ratios or "
                f"z-scores instead. Correct the declared units ({option('scale')}) or the file."
            )
    if units in LOGS and x.size:
        high = float(x.max() if sparse.issparse(x) else np.nanmax(x))
        if high > LARGEST_LOG:
            raise DataError(
                f"the matrix is declared as {units} and its values reach {high:.4g}, which no logarithm of expression "
                f"does: they are counts or on a linear scale. Declare what they are: {option('scale', 'counts')}, or "
                f"another of {', '.join(LINEAR[1:])}; logarithms are made of them."
            )
    if units == "counts":
        values = x.data if sparse.issparse(x) else x
        broken = np.isfinite(values) & (values != np.round(values))
        if broken.any() and not _like_depths(x):
            raise DataError(
                f"{int(broken.sum())} value(s) of a matrix declared as counts are not whole numbers "
                f"({examples(values[broken][:4])}), and its sums are no sequencing depths, as those of estimated "
                "counts are; declare tpm, fpkm or rsem, or read the count file."
            )


def _like_depths(x: Any) -> bool:
    """Whether decimals can be estimated counts: no logarithms, no shares of a million."""
    total = np.asarray(x.sum(axis=1) if sparse.issparse(x) else np.nansum(x, axis=1), dtype=np.float64).ravel()
    high = float(x.max() if sparse.issparse(x) else np.nanmax(x)) if total.size else 0.0
    same = len(total) > 1 and float(np.ptp(total)) <= 0.005 * float(np.median(total))
    return bool(high > 100 and np.median(total) >= 1e4 and not same)


def warn_calls(adata: AnnData) -> None:
    """Warn where every value is 0 or 1.

    Parameters
    ----------
    adata
        Observations x genes.

    Warns
    -----
    DataWarning
        If nothing but 0 and 1 is there: calls, such as of mutations, and no expression.
    """
    values = adata.X.data if sparse.issparse(adata.X) else np.asarray(adata.X)
    first = values.ravel()[:1000]
    if first.size and np.isin(first, (0, 1)).all() and np.isin(values, (0, 1)).all():
        warn(
            "every value is 0 or 1: these look like calls, such as of mutations or of presence, and not like "
            "expression. Scores of them mean nothing that is known; DNA alterations are read by io.read_alterations.",
            DataWarning,
        )


def check_signs(adata: AnnData) -> None:
    """Raise DataError where values are negative and everything else says counts or linear abundance.

    Parameters
    ----------
    adata
        Observations x genes.

    Raises
    ------
    DataError
        If a value is negative and the matrix is integer-valued or has values over 100, which no log or z scale has.
    """
    values = adata.X.data if sparse.issparse(adata.X) else np.asarray(adata.X)
    if not values.size or not np.fmin.reduce(values, axis=None) < 0:
        return
    finite = values if np.isfinite(np.sum(values)) else values[np.isfinite(values)]
    if are_levels(finite):
        raise DataError(
            "every value is a level of copy number (-2 to 2), not expression. Read them with io.read_alterations, or "
            "hand them to a run as --alterations beside the expression."
        )
    # Some values settle it nearly always: what is not whole is soon found.
    if finite.size and finite.max() <= 100:
        some = finite.ravel()[:100_000]
        if (some != np.round(some)).any() or (finite != np.round(finite)).any():
            return
    dense = adata.X.toarray() if sparse.issparse(adata.X) else np.asarray(adata.X)
    rows, columns = np.nonzero(dense < 0)
    where = (
        f"{adata.obs_names[r]} x {adata.var_names[c]} = {dense[r, c]:g}" for r, c in zip(rows, columns, strict=True)
    )
    raise DataError(
        f"{len(rows)} negative value(s) in a matrix that otherwise holds counts or linear abundances "
        f"({examples(where)}). Mend those values, or give log-scale expression."
    )


def normalise(
    adata: AnnData,
    method: str = "log2",
    *,
    layer: str | None = None,
    key_added: str | None = "log",
    library_size: str | None = None,
    copy: bool = False,
) -> AnnData:
    """Compute a normalised matrix beside the published one, and record how.

    Parameters
    ----------
    adata
        Observations x genes.
    method
        ``"log2"``: log2(x + 1) of a linear scale. ``"cpm"``: x / sum * 1e6. ``"log2_cpm"``: log2(CPM + 1).
        ``"log1p"``: ln(x / sum * 1e4 + 1), as is usual for single cells. ``"median_of_ratios"``: x divided by the
        median ratio to the geometric mean over observations (Anders & Huber, Genome Biol 2010;11:R106);
        ``"log2_median_of_ratios"``: its log2(x + 1). ``"tmm"``: CPM of effective library sizes (Robinson & Oshlack,
        Genome Biol 2010;11:R25); ``"log2_tmm"``: its log2(x + 1). ``"none"``: as it is.
    layer
        Source layer instead of ``X``.
    key_added
        Layer to write; None replaces ``X``.
    library_size
        For ``"cpm"`` and ``"log2_cpm"``, the column of ``obs`` with the sums to divide by, where rows were left out or
        repeated since the matrix was read; None takes the sums of the matrix as it is.
    copy
        Leave `adata` as it is and return a changed copy.

    Returns
    -------
    anndata.AnnData
        The same object (or the copy) with the layer, and ``uns["normalised"][key]`` saying method and source.

    Raises
    ------
    DataError
        If the method is unknown, or the values do not suit it (negative or already logarithmic).
    """
    if method not in METHODS:
        raise DataError(f"unknown method {method!r}; known: {', '.join(METHODS)}.")
    work = adata.copy() if copy else adata
    scale = _known_scale(work, layer)
    if method != "none" and scale.kind not in LINEAR:
        raise DataError(
            f"{method} needs counts or linear abundances, and this looks like {scale.kind} "
            f"({'; '.join(scale.evidence)}); "
            'use method="none".'
        )
    x = work.X if layer is None else work.layers[layer]
    _refuse_negative(work, x, method)
    y = METHODS[method](x) if library_size is None else _by_library(x, method, work.obs[library_size])
    key = key_added or "X"
    if key_added is None:
        work.X = y
    else:
        work.layers[key_added] = y
    record = dict(work.uns.get("normalised", {}))
    record[key] = {"method": method, "source": layer or "X", "input_scale": scale.kind} | (
        {"library_size": library_size} if library_size else {}
    )
    work.uns["normalised"] = record
    return work


def _refuse_negative(adata: AnnData, x: Any, method: str) -> None:
    """Raise DataError where a method of linear values meets negative ones."""
    held = x.data if sparse.issparse(x) else np.asarray(x)
    if method == "none" or not held.size or not np.fmin.reduce(held, axis=None) < 0:
        return
    rows, columns = (x < 0).nonzero()
    raise DataError(
        f"{len(rows)} negative value(s) on a linear scale (first: sample {adata.obs_names[rows[0]]}, gene "
        f"{adata.var_names[columns[0]]}); {method} has no value for them. Intensities after background correction need "
        'a floor first (such as adata.X[adata.X < 1] = 1); where the values are ratios or z-scores use method="none".'
    )


def _known_scale(adata: AnnData, layer: str | None) -> Scale:
    """Return the scale that an earlier step wrote into ``uns`` for ``X``, else detect it."""
    known = adata.uns.get("scale") if layer is None else None
    if known and "kind" in known:
        # What was declared holds; what the values look like may be a guess.
        kind = str(known.get("declared") or known["kind"])
        return Scale(kind, str(known["log"]), tuple(map(str, known["evidence"])), bool(known["certain"]))
    return detect_scale(adata, layer)


def _log2(x: Any) -> Any:
    if sparse.issparse(x):
        y = x.astype(np.float64)
        y.data = np.log2(y.data + 1)
        return y
    return np.log2(np.asarray(x, dtype=np.float64) + 1)


def library_sizes(x: Any) -> npt.NDArray[np.float64]:
    """Return the sum of each observation; missing values count nothing.

    Parameters
    ----------
    x
        Observations x genes, dense or sparse.
    """
    return np.asarray(x.sum(axis=1) if sparse.issparse(x) else np.nansum(x, axis=1), dtype=np.float64).ravel()


def _by_library(x: Any, method: str, sizes: Any) -> Any:
    """Return CPM, or log2(CPM + 1), by library sizes that are known."""
    if method not in ("cpm", "log2_cpm"):
        raise DataError(f"library_size belongs to cpm and log2_cpm, not to {method}.")
    y = _cpm(x, total=np.asarray(sizes, dtype=np.float64))
    return y if method == "cpm" else _log2(y)


def _cpm(x: Any, target: float = 1e6, total: npt.NDArray[np.float64] | None = None) -> Any:
    total = library_sizes(x) if total is None else total
    factor = np.divide(target, total, out=np.zeros_like(total), where=total > 0)
    return _scaled(x, factor)


def _log1p(x: Any) -> Any:
    y = _cpm(x, 1e4)
    return y.log1p() if sparse.issparse(y) else np.log1p(y)


def _ratios(x: Any) -> Any:
    return _scaled(x, 1 / median_of_ratios(x))


def _tmm(x: Any) -> Any:
    total = np.asarray(x.sum(axis=1), dtype=np.float64).ravel()
    return _scaled(x, 1e6 / (total * tmm(x)))


def _scaled(x: Any, factors: npt.NDArray[np.float64]) -> Any:
    if sparse.issparse(x):
        return sparse.diags(factors).dot(x.astype(np.float64)).asformat(x.format)
    return np.asarray(x, dtype=np.float64) * factors[:, None]


METHODS: dict[str, Any] = {
    "none": lambda x: x.copy(),
    "log2": _log2,
    "cpm": _cpm,
    "log2_cpm": lambda x: _log2(_cpm(x)),
    "log1p": _log1p,
    "median_of_ratios": _ratios,
    "tmm": _tmm,
    "log2_tmm": lambda x: _log2(_tmm(x)),
    "log2_median_of_ratios": lambda x: _log2(_ratios(x)),
}
