"""What one patient's transcripts say of each branch, beside a frozen cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.collection import (
    Composite,
    Entry,
    Signature,
    SignatureCollection,
    SignaturesLike,
    as_collection,
    leads,
)
from mtorscore.collection.grades import NOT_TESTED, OPPOSED, context_named
from mtorscore.errors import DataError, examples
from mtorscore.pp import detect_scale
from mtorscore.tl.analysis.count_depth import (
    FEWEST_LIBRARIES,
    SHALLOWEST,
    DepthCalibration,
    FullDepth,
    repeat_library,
)
from mtorscore.tl.analysis.explanation import explain
from mtorscore.tl.engine.execute import execute
from mtorscore.tl.engine.open_source import open_source
from mtorscore.tl.engine.outcome import finish
from mtorscore.tl.engine.prepare import ScoreOptions, prepare
from mtorscore.tl.engine.readability import grade_in, graded_words, lacking_in
from mtorscore.tl.scoring import score_cohort

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["PASSPORT_COLUMNS", "Passport", "passport"]

Array = npt.NDArray[np.float64]
PASSPORT_COLUMNS: dict[str, str] = {
    "branch": "branch of the pathway",
    "signature": "signature that is read",
    "title": "what it is",
    "level": "what a transcript score can mean here",
    "grade": "how the signature fared against measured activity in this tissue",
    "score": "score of the library as it is",
    "score_full_depth": "score that the full depth would give",
    "low": "lower end of the interval for count noise",
    "high": "upper end",
    "depth_bias": "score minus score_full_depth",
    "percentile": "place among the cohort, 0 to 100",
    "percentile_low": "lower end, with the noise of counts and the cohort's size",
    "percentile_high": "upper end",
    "coverage": "share of the signature's genes in the matrix",
    "carrying_genes": "genes whose contribution differs most from the cohort's mean",
    "can_be_said": "whether the place in the cohort may be read",
    "reason": "why not, or what to keep in mind",
}
# Share of the cohort's genes that a patient's matrix must hold, so that ranks mean the same in both.
LEAST_SHARED = 0.8
N_DRAWS = 2000
N_CARRYING = 5


@dataclass(frozen=True)
class Passport:
    """What `passport` returns.

    Attributes
    ----------
    observation, method, tissue
        Who, by which method, and the tissue that grades were looked up for ("" if not said).
    level
        Coverage of the intervals.
    depth, full_depth, share
        Reads of the library, reads that count as full depth, and their ratio (at most 1); NaN without counts.
    n_reference
        Libraries of the cohort, the patient's own left out.
    notes
        Sentences on scale, depth and genes that concern the whole record.
    branches
        One row per branch; columns as in `PASSPORT_COLUMNS`.
    genes
        `mtorscore.tl.explain` of each row's signature among the cohort.
    """

    observation: str
    method: str
    tissue: str
    level: float
    depth: float
    full_depth: float
    share: float
    n_reference: int
    notes: tuple[str, ...]
    branches: pd.DataFrame
    genes: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Return the record in plain types, for JSON; NaN become None."""
        plain = {k: getattr(self, k) for k in ("observation", "method", "tissue", "level", "n_reference")}
        numbers = {k: _plain(getattr(self, k)) for k in ("depth", "full_depth", "share")}
        tables = {
            name: [{k: _plain(v) for k, v in row.items()} for row in table.to_dict(orient="records")]
            for name, table in (("branches", self.branches), ("genes", self.genes))
        }
        return plain | numbers | {"notes": list(self.notes)} | tables


def passport(
    adata: AnnData,
    observation: str | int,
    reference: AnnData,
    *,
    signatures: SignaturesLike = None,
    method: str = "singscore",
    tissue: str | None = None,
    counts: str | None = None,
    full_depth: float | None = None,
    level: float = 0.95,
    seed: int = 0,
    **params: Any,
) -> Passport:
    """Say what one patient's transcripts mean for each branch, and how sure that is.

    For research only: no score here was shown to guide the treatment of a patient.

    Parameters
    ----------
    adata
        Observations x genes, counts of reads in ``X`` (or in the layer `counts`).
    observation
        Name, or number of the row.
    reference
        The cohort in which the patient is placed, counts on the same genes. Of the patient's own observation there,
        found by its name, only the depth is used.
    signatures
        Collection, mapping or path; by default the leading signature of each branch and confounder of the library.
    method
        Scoring method; what depends on a cohort is learned from `reference` and frozen. Scores are made of
        log2(CPM + 1).
    tissue
        Tissue whose evidence decides what may be said, such as ``"HCC"``.
    counts
        Layer of the counts, in both objects; ``X`` by default.
    full_depth
        Reads of a library that count as full depth; by default those of the patient's own observation in the
        reference, else the median of the reference.
    level
        Coverage of the intervals.
    seed
        Seed of the thinning.
    **params
        Parameters of the method.

    Returns
    -------
    Passport
        Per branch the score, the score that the full depth would give with an interval for the noise of counts
        (see `mtorscore.tl.analysis.count_depth`), the place in the cohort with an interval for that noise and the
        cohort's size, the genes that carry it, and whether it may be read. At the full depth the interval is the range
        in which a second library would score. Below a tenth of the full depth, without counts, or with fewer than ten
        libraries in the cohort nothing can be said of the noise.

    Raises
    ------
    DataError
        If there is no such observation, or the two objects share too few genes.
    """
    sides = _Sides.of(adata, observation, reference, counts)
    collection, shown = _chosen(signatures, tissue)
    scorer = _Scorer.learn(sides, collection, method, params)
    share, notes = _depth(sides, full_depth)
    random = np.random.default_rng(seed)
    noise, why = _noise(sides, scorer, share, level, random)
    table = _branches(sides, scorer, noise, [collection[n] for n in shown], level, random)
    genes = _genes(sides, scorer, shown)
    table["carrying_genes"] = [_carrying(genes, n) for n in shown]
    table = _judged(table, [collection[n] for n in shown], why if sides.are_counts else "", tissue)
    full = sides.depth / share if share > 0 else np.nan
    return Passport(
        sides.name,
        method,
        context_named(tissue) or tissue or "",
        level,
        sides.depth,
        full,
        share,
        len(sides.cohort),
        (*sides.notes, *notes, *([why] if why else [])),
        table[list(PASSPORT_COLUMNS)],
        genes,
    )


@dataclass(frozen=True)
class _Sides:
    """Counts of the patient and of the cohort over the genes that both have."""

    name: str
    patient: Array
    cohort: Array
    genes: list[str]
    are_counts: bool
    own_depth: float
    notes: list[str]

    @property
    def depth(self) -> float:
        return float(self.patient.sum()) if self.are_counts else float("nan")

    @classmethod
    def of(cls, adata: AnnData, observation: str | int, reference: AnnData, layer: str | None) -> _Sides:
        names = [str(o) for o in adata.obs_names]
        if isinstance(observation, str):
            if names.count(observation) != 1:
                found = names.count(observation)
                raise DataError(f"{found} observations are named {observation!r}; there are {examples(names)}.")
            row = names.index(observation)
        else:
            if not 0 <= observation < len(names):
                raise DataError(f"There is no observation {observation}; there are {len(names)}.")
            row = observation
        known = set(map(str, adata.var_names))
        genes = [g for g in map(str, reference.var_names) if g in known]
        if len(genes) < LEAST_SHARED * reference.n_vars:
            raise DataError(
                f"Of the {reference.n_vars} genes of the reference {len(genes)} are in the patient's matrix; at least "
                f"{LEAST_SHARED:.0%} are needed, since ranks are taken among all genes. Bring both to the same "
                "identifiers (pp.harmonise_genes) and the same annotation."
            )
        own = np.asarray(reference.obs_names.astype(str) == names[row])
        kinds = [_kind(adata, layer), _kind(reference, layer)]
        if kinds[0] != kinds[1]:
            raise DataError(
                f"The patient's values look like {kinds[0]}, the cohort's like {kinds[1]}; hand over both as counts, "
                "or both on one scale."
            )
        patient, cohort = _dense(adata[[row], genes], layer)[0], _dense(reference[:, genes], layer)
        notes = []
        if len(genes) < reference.n_vars:
            notes.append(f"{reference.n_vars - len(genes)} of {reference.n_vars} genes of the cohort are left out.")
        if own.any():
            notes.append("The patient's own library in the cohort is left out of it.")
        own_depth = float(cohort[own].sum(axis=1).max()) if own.any() else float("nan")
        return cls(names[row], patient, cohort[~own], genes, kinds[0] == "counts", own_depth, notes)


def _kind(adata: AnnData, layer: str | None) -> str:
    declared = adata.uns.get("source", {}).get("units") if layer is None else None
    return str(declared or detect_scale(adata, layer).kind)


def _dense(adata: AnnData, layer: str | None) -> Array:
    from scipy import sparse

    x = adata.X if layer is None else adata.layers[layer]
    return np.asarray(x.toarray() if sparse.issparse(x) else x, dtype=np.float64)


def _chosen(signatures: SignaturesLike, tissue: str | None) -> tuple[SignatureCollection, list[str]]:
    """Return what is scored and which of it is shown: the leads of the library, or all signatures of the user."""
    collection = as_collection(signatures)
    if signatures is not None:
        return collection, [e.id for e in collection if isinstance(e, Signature | Composite)]
    shown = leads(collection.names, context=tissue)
    needed = set(shown) | {p for n in shown for p in getattr(collection[n], "parts", {})}
    return SignatureCollection([e for e in collection if e.id in needed]), shown


@dataclass(frozen=True)
class _Scorer:
    """Scores counts by one method against what it learned from the cohort."""

    genes: list[str]
    collection: SignatureCollection
    method: str
    params: Mapping[str, Any]
    reference: Any
    cohort_scores: pd.DataFrame
    coverage: pd.DataFrame
    are_counts: bool

    @classmethod
    def learn(cls, sides: _Sides, collection: SignatureCollection, method: str, params: Mapping[str, Any]) -> _Scorer:
        cohort = _anndata(_logs(sides.cohort, sides.are_counts), sides.genes)
        every = np.ones(cohort.n_obs, dtype=np.bool_)
        found = score_cohort(cohort, collection, method=method, standardise_by=every, params={method: dict(params)})
        coverage = cohort.uns["mtorscore"][method]["coverage"]
        scores = cohort.obsm[f"score_{method}"]
        return cls(sides.genes, collection, method, params, found[method], scores, coverage, sides.are_counts)

    def __call__(self, counts: Array) -> Array:
        # What is missing or ignored was said when the cohort was scored.
        options = ScoreOptions.checked(self.method, self.params, reference=self.reference)
        source = open_source(_logs(counts, self.are_counts))
        over, plans = prepare(source, self.genes, self.collection, options, say=False)
        scored = execute(over, plans)[0]
        return finish(plans[0], scored, self.collection, self.reference).scores


def _anndata(values: Array, genes: Sequence[str]) -> AnnData:
    from anndata import AnnData

    return AnnData(
        values, var=pd.DataFrame(index=pd.Index(genes)), obs=pd.DataFrame(index=map(str, range(len(values))))
    )


def _logs(values: Array, are_counts: bool) -> Array:
    """Return log2(CPM + 1) of counts; other values as they are."""
    if not are_counts:
        return values
    depth = values.sum(axis=1, keepdims=True)
    return np.log2(values / np.where(depth > 0, depth, 1.0) * 1e6 + 1.0)


def _depth(sides: _Sides, full_depth: float | None) -> tuple[float, list[str]]:
    """Return the share of the full depth, and sentences on it."""
    if not sides.are_counts:
        return float("nan"), []
    depths = sides.cohort.sum(axis=1)
    full = full_depth or (sides.own_depth if np.isfinite(sides.own_depth) else float(np.median(depths)))
    share = min(1.0, sides.depth / full) if full > 0 else float("nan")
    text = f"{sides.depth:,.0f} reads, {share:.0%} of the {full:,.0f} that count as full depth"
    notes = [
        text + (f" (the cohort's libraries have {depths.min():,.0f} to {depths.max():,.0f})." if len(depths) else ".")
    ]
    return share, notes


def _noise(
    sides: _Sides, scorer: _Scorer, share: float, level: float, random: np.random.Generator
) -> tuple[FullDepth, str]:
    """Return the scores at full depth with their intervals, or NaN and why nothing can be said."""
    own = scorer(sides.patient[None, :])[0]
    unknown = np.full(own.size, np.nan)
    nothing = FullDepth(own, unknown, unknown, unknown)
    if not sides.are_counts:
        return nothing, "The noise of counts cannot be said: the values are not counts."
    if not share >= SHALLOWEST:
        return nothing, f"The noise of counts cannot be said: the library has less than {SHALLOWEST:.0%} of full depth."
    if len(sides.cohort) < FEWEST_LIBRARIES:
        return nothing, (
            f"The noise of counts cannot be said: the cohort has {len(sides.cohort)} libraries, fewer than "
            f"{FEWEST_LIBRARIES}."
        )
    if share >= 1:
        return repeat_library(sides.patient, scorer, level, random), ""
    calibration = DepthCalibration.learn(sides.cohort, scorer, share, random)
    return calibration.predict(sides.patient, scorer, level, random), ""


def _branches(
    sides: _Sides,
    scorer: _Scorer,
    noise: FullDepth,
    entries: Sequence[Entry],
    level: float,
    random: np.random.Generator,
) -> pd.DataFrame:
    own = scorer(sides.patient[None, :])[0]
    rows = []
    for entry in entries:
        k = scorer.cohort_scores.columns.get_loc(entry.id)
        among = scorer.cohort_scores[entry.id].to_numpy(dtype=float)
        place, low, high = _place(float(noise.score[k]), float(noise.se[k]), among[np.isfinite(among)], level, random)
        rows.append(
            {
                "branch": entry.branch,
                "signature": entry.id,
                "title": entry.title,
                "level": entry.level,
                "score": own[k],
                "score_full_depth": noise.score[k] if np.isfinite(noise.low[k]) else np.nan,
                "low": noise.low[k],
                "high": noise.high[k],
                "depth_bias": own[k] - noise.score[k] if np.isfinite(noise.low[k]) else np.nan,
                "percentile": place,
                "percentile_low": low,
                "percentile_high": high,
                "coverage": _coverage(scorer, entry),
                "lacking": lacking_in(scorer.coverage, entry),
            }
        )
    return pd.DataFrame(rows)


def _place(
    value: float, se: float, among: Array, level: float, random: np.random.Generator
) -> tuple[float, float, float]:
    """Return the percentile of a score, and its interval: the score's noise and the cohort, both drawn anew."""
    if not np.isfinite(value) or among.size < FEWEST_LIBRARIES:
        return float("nan"), float("nan"), float("nan")
    place = 100 * float(np.mean(among < value) + np.mean(among == value) / 2)
    values = value + (se if np.isfinite(se) else 0.0) * random.standard_normal(N_DRAWS)
    below = np.mean(among[None, :] < values[:, None], axis=1)
    # How many of a new cohort lie below: the share is uncertain as a binomial one (Jeffreys' prior).
    drawn = random.beta(below * among.size + 0.5, (1 - below) * among.size + 0.5)
    low, high = 100 * np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2])
    return place, min(float(low), place), max(float(high), place)


def _coverage(scorer: _Scorer, entry: Entry) -> float:
    if isinstance(entry, Composite):
        shares = [float(scorer.coverage["coverage"].get(p, np.nan)) for p in entry.parts]
        return float(np.min(shares)) if shares else float("nan")
    return float(scorer.coverage["coverage"].get(entry.id, np.nan))


def _genes(sides: _Sides, scorer: _Scorer, shown: Sequence[str]) -> pd.DataFrame:
    """Explain each signature of the patient, as the last observation of the cohort."""
    values = np.vstack([sides.cohort, sides.patient[None, :]])
    both = _anndata(_logs(values, sides.are_counts), sides.genes)
    tables = []
    for name in shown:
        if not np.isfinite(scorer.cohort_scores[name]).any():
            continue
        found = explain(
            both,
            name,
            both.n_obs - 1,
            method=scorer.method,
            signatures=scorer.collection,
            reference=scorer.reference,
            n_top=0,
            **scorer.params,
        )
        tables.append(found.assign(observation=sides.name))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _carrying(genes: pd.DataFrame, name: str) -> str:
    rows = genes[genes["signature"] == name] if len(genes) else genes
    return ", ".join(rows.loc[rows["present"].astype(bool), "gene"].head(N_CARRYING)) if len(rows) else ""


def _judged(table: pd.DataFrame, entries: Sequence[Entry], why: str, tissue: str | None) -> pd.DataFrame:
    """Add grade, whether the place in the cohort may be read, and the reason."""
    grades, said, reasons = [], [], []
    for entry, row in zip(entries, table.to_dict(orient="records"), strict=True):
        grade = grade_in(entry, tissue) or NOT_TESTED if tissue else ""
        against = []
        if not np.isfinite(row["score"]):
            against.append("no score")
        if row["lacking"]:
            against.append(row["lacking"])
        if grade == OPPOSED:
            against += graded_words(entry, tissue)
        if not np.isfinite(row["percentile"]):
            against.append("no place in the cohort")
        grades.append(grade)
        said.append(not against and not why)
        reasons.append("; ".join(against) if against else why)
    return table.assign(grade=grades, can_be_said=said, reason=reasons)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
