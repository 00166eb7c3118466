"""Alterations against scores: declared pairs of branch and gene, beside negative controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mtorscore._alteration_results import ALTERATIONS
from mtorscore._multiple_testing import adjust_p
from mtorscore._outcome_terms import MIN_EVENTS
from mtorscore.collection import leads, library
from mtorscore.collection.lead_signatures import lead_of, why_no_lead
from mtorscore.errors import DataError, examples
from mtorscore.io.alterations.declared import DeclaredGene, declared_genes
from mtorscore.prognosis.association.associate import associate
from mtorscore.prognosis.association.negative_controls import ALL, PROLIFERATION
from mtorscore.prognosis.endpoints.checks import check_counts, check_level
from mtorscore.prognosis.endpoints.endpoints import Endpoint
from mtorscore.prognosis.endpoints.inputs import Inputs, read_inputs
from mtorscore.prognosis.genomics.altered import Altered
from mtorscore.prognosis.genomics.exact_test import rank_sum_p

__all__ = ["LEAST_ALTERED", "alterations"]

LEAST_ALTERED = MIN_EVENTS
"""Fewest altered tumours, and fewest others, of which something is said."""
_POWER = 0.8
_KEPT = (
    *("odds_ratio", "or_low", "or_high", "p", "c_index", "c_low", "c_high", "null_percentile", "null_p", "n_null"),
    "firth",
)


@dataclass(frozen=True)
class _Pair:
    signature: str
    branch: str
    gene: str
    expected: int
    declared: bool


def alterations(
    scores: Any,
    alterations: Any,
    clinical: pd.DataFrame | None = None,
    expression: Any = None,
    signatures: Any = None,
    method: str | None = None,
    *,
    pairs: Sequence[tuple[str, str, int]] | None = None,
    adjust: Sequence[Any] = (),
    exploratory: bool = True,
    tissue: str | None = "HCC",
    negative_controls: Sequence[str] = ALL,
    n_random: int = 1000,
    n_boot: int = 0,
    level: float = 0.95,
    params: dict[str, Any] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Relate the score of a branch to the alteration of a gene, for the declared pairs of both.

    Parameters
    ----------
    scores
        DataFrame ``(n_obs, n_signatures)``, or a scored AnnData, which also carries clinical table, expression and
        method.
    alterations
        What `mtorscore.io.read_alterations` returned, or a DataFrame of samples x genes of 1, 0 and NaN (not profiled).
    clinical
        DataFrame indexed by observation, with the columns of `adjust`; not needed without.
    expression, signatures, method, params
        As of `associate`: what the negative controls are scored from.
    pairs
        Signature, gene and direction expected of the score (1, -1, 0), instead of those that the library declares
        (``signatures/alterations.yaml``): there the lead signature of each branch stands for it.
    adjust
        Confounders beside proliferation, stroma, immune cells and hepatocytes, one at a time: clinical columns such as
        the subclass or the aetiology.
    exploratory
        Whether the leading signatures are also tested against the genes that no pair declares them with.
    tissue
        Of the observations; chooses the leads by their grade there.
    negative_controls, n_random, n_boot, level, seed
        As of `associate`.

    Returns
    -------
    pandas.DataFrame
        Columns of ``alterations/associations.tsv`` (without ``method``): one row per pair and model. ``difference`` is
        the mean of altered less that of other tumours in SDs of the score, with Welch's interval; ``permutation_p`` the
        permutation test of its rank sum; ``odds_ratio`` that of being altered per SD of the score (`associate`), and on
        adjusted rows beside one confounder. ``q`` is Benjamini-Hochberg of `permutation_p` over the declared pairs, and
        apart from them over the exploratory ones. ``detectable`` is the difference that so many tumours would show in
        four of five studies. ``finding`` is ``as expected``, ``against expectation``, ``higher`` or ``lower`` (no
        direction was claimed), ``nothing found``, or ``cannot be said`` with fewer than ten altered or ten other
        tumours; ``beside`` says next to which controls it holds. A branch without a signature that may be read in this
        tissue gives a row without a score.

    Raises
    ------
    DataError
        If no observation was profiled, or a pair names a score or gene that is not there.
    """
    check_level(level)
    check_counts(n_boot=n_boot, seed=seed)
    bare = pd.DataFrame(index=getattr(scores, "index", None))
    inputs = read_inputs(scores, bare if clinical is None and not hasattr(scores, "obsm") else clinical, expression,
                         signatures, method, params)  # fmt: skip
    found = Altered.of(alterations, inputs.scores.index)
    chosen = _pairs(inputs, found, pairs, exploratory, tissue)
    calls, left_out = _calls(found, chosen)
    enough = {g for g, c in calls.items() if min((c == 1).sum(), (c == 0).sum()) >= LEAST_ALTERED}
    controls = [c for c in negative_controls if c != "random" or n_random]
    tested = _tested(inputs, calls, [g for g in calls if g in enough], chosen, list(adjust), {
        "negative_controls": controls, "n_random": max(n_random, 1), "n_boot": n_boot, "level": level,
        "seed": seed, "tissue": tissue,
    })  # fmt: skip
    rows: list[dict[str, Any]] = []
    for pair in chosen:
        score = inputs.scores[pair.signature] if pair.signature else _no_score(inputs)
        row = _row(score, calls[pair.gene], pair, left_out[pair.gene], level, seed)
        if not pair.signature:
            why = why_no_lead(pair.branch, tissue) or "no signature of this branch was scored"
            row |= {"valid": False, "reason": why}
        own = tested.get((pair.signature, pair.gene), [])
        rows += _of_pair(row, own if pair.declared else own[:1])
    return _finished(rows, level)


def _pairs(
    inputs: Inputs, found: Altered, pairs: Sequence[tuple[str, str, int]] | None, exploratory: bool, tissue: str | None
) -> list[_Pair]:
    """Return the pairs: declared ones, those of branches without a lead among them, then the exploratory ones."""
    names = [str(c) for c in inputs.scores.columns]
    entries = library(experimental=True)
    if pairs is not None:
        odd = [s for s, _, _ in pairs if s not in names] + [g for _, g, _ in pairs if g not in found.calls.columns]
        if odd:
            raise DataError(f"{len(odd)} score(s) or gene(s) of pairs= are not there: {examples(odd)}.")
        of = {s: entries[s].branch if s in entries else "" for s, _, _ in pairs}
        return [_Pair(s, of[s], g, int(d), True) for s, g, d in pairs]
    out: list[_Pair] = []
    genes = {g: d for g, d in declared_genes().items() if g in found.calls.columns}
    for gene, declared in genes.items():
        for branch, direction in declared.branches.items():
            lead = lead_of(branch, tissue, names)
            sign = 1 if lead is None else entries[lead].sign or 1
            out.append(_Pair(lead or "", branch, gene, direction * sign, True))
    if exploratory:
        known = {(p.signature, p.gene) for p in out}
        for name in leads(names, confounders=False, context=tissue):
            branch = entries[name].branch if name in entries else ""
            if branch not in ("context", "drug"):
                out += [_Pair(name, branch, g, 0, False) for g in genes if (name, g) not in known]
    if not out:
        raise DataError("there is no pair of a score and a gene to look at; name them with pairs=.")
    return out


def _no_score(inputs: Inputs) -> pd.Series:
    return pd.Series(np.nan, inputs.scores.index)


def _calls(found: Altered, pairs: Sequence[_Pair]) -> tuple[dict[str, pd.Series], dict[str, int]]:
    calls, left_out = {}, {}
    declared: Mapping[str, DeclaredGene] = declared_genes()
    for gene in dict.fromkeys(p.gene for p in pairs):
        if gene in declared:
            calls[gene], left_out[gene] = found.of_gene(gene, declared[gene].kinds)
        else:
            calls[gene], left_out[gene] = found.calls[gene], 0
    return calls, left_out


def _tested(
    inputs: Inputs,
    calls: Mapping[str, pd.Series],
    genes: Sequence[str],
    pairs: Sequence[_Pair],
    adjust: list[Any],
    options: dict[str, Any],
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return the rows of `associate` per pair of signature and gene, the unadjusted one first."""
    if not genes:
        return {}
    names = {g: f"{g} altered" for g in genes}
    clinical = inputs.clinical.reindex(inputs.scores.index).assign(**{names[g]: calls[g] for g in genes})
    wanted = list(dict.fromkeys(p.signature for p in pairs if p.gene in names and p.signature))
    if not wanted:
        return {}
    table = associate(
        inputs.scores[wanted], clinical, [Endpoint.label(names[g]) for g in genes], adjust,
        expression=inputs.expression, signatures=inputs.signatures, method=inputs.method, params=inputs.params,
        **options,
    )  # fmt: skip
    gene_of = {label: gene for gene, label in names.items()}
    out: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in table.to_dict(orient="records"):
        out.setdefault((str(record["signature"]), gene_of[str(record["endpoint"])]), []).append(
            {str(k): v for k, v in record.items()}
        )
    for rows in out.values():
        rows.sort(key=lambda r: r["model"] != "unadjusted")
    return out


def _row(score: pd.Series, calls: pd.Series, pair: _Pair, left_out: int, level: float, seed: int) -> dict[str, Any]:
    """Return the difference of one pair with its interval and permutation test."""
    known = calls.notna() & score.notna()
    x, y = score[known].to_numpy(dtype=np.float64), calls[known].to_numpy() == 1
    declared = declared_genes().get(pair.gene)
    k, n = int(y.sum()), len(y)
    row: dict[str, Any] = dict.fromkeys(ALTERATIONS.names[1:], np.nan) | {
        "signature": pair.signature, "branch": pair.branch, "gene": pair.gene, "declared": pair.declared,
        "effect": "" if declared is None else declared.effect, "expected": pair.expected, "model": "unadjusted",
        "adjusted_for": "", "n": n, "altered": k, "left_out": left_out, "level": level, "permutations": "",
        "finding": "", "beside": "", "source": "; ".join(declared.sources) if declared and pair.declared else "",
        "valid": True, "reason": "",
    }  # fmt: skip
    sd = x.std(ddof=1) if n > 1 else 0.0
    if k and n - k:
        row["detectable"] = (stats.norm.ppf(0.5 + level / 2) + stats.norm.ppf(_POWER)) * np.sqrt(1 / k + 1 / (n - k))
    if min(k, n - k) > 1 and sd > 0:
        found = stats.ttest_ind(x[y], x[~y], equal_var=False)
        interval = found.confidence_interval(level)
        row["difference"] = float(x[y].mean() - x[~y].mean()) / sd
        row |= {"difference_low": float(interval.low) / sd, "difference_high": float(interval.high) / sd}
        row["permutation_p"], row["permutations"] = rank_sum_p(x, y, seed)
    if min(k, n - k) < LEAST_ALTERED:
        row["valid"] = False
        row["reason"] = f"{k} altered and {n - k} other tumours; {LEAST_ALTERED} of each are asked for"
    return row


def _of_pair(row: dict[str, Any], tested: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of one pair: unadjusted with what `associate` says, then beside each confounder."""
    out = [row]
    for record in tested:
        if record["model"] == "unadjusted":
            row |= {c: record.get(c, np.nan) for c in _KEPT}
            row["valid"] = bool(row["valid"]) and bool(record["valid"])
            row["reason"] = "; ".join(filter(None, (row["reason"], str(record["reason"]))))
            continue
        blank = dict.fromkeys(row, np.nan) | {
            c: row[c] for c in ("signature", "branch", "gene", "declared", "effect", "expected", "left_out", "level")
        }
        about = {
            "model": "adjusted",
            "adjusted_for": record["adjusted_for"],
            "n": record["n"],
            "altered": record["events"],
        }
        about |= {"valid": bool(record["valid"]), "reason": str(record["reason"])}
        about |= dict.fromkeys(("permutations", "finding", "beside", "source"), "")
        out.append(blank | about | {c: record.get(c, np.nan) for c in _KEPT})
    return out


def _finished(rows: list[dict[str, Any]], level: float) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    first = table["model"] == "unadjusted"
    said = first & table["valid"].astype(bool)
    for declared in (True, False):
        family = first & (table["declared"].astype(bool) == declared) & (table["altered"] >= LEAST_ALTERED)
        family &= table["n"] - table["altered"] >= LEAST_ALTERED
        if family.any():
            table.loc[family, "q"] = adjust_p(table.loc[family, "permutation_p"].to_numpy(dtype=np.float64))
    alpha = 1 - level
    for i in np.flatnonzero(first.to_numpy()):
        at = table.index[i]
        table.loc[at, "finding"] = _finding(table.loc[at], bool(said[at]), alpha)
        others = table[
            (table["signature"] == table.at[at, "signature"]) & (table["gene"] == table.at[at, "gene"]) & ~first
        ]
        table.loc[at, "beside"] = _beside(table.loc[at], others, alpha)
    return ALTERATIONS.arrange(table).drop(columns="method")


def _finding(row: pd.Series, said: bool, alpha: float) -> str:
    if not said or not np.isfinite(row["difference"]):
        return "cannot be said"
    if not row["q"] < alpha:
        return "nothing found"
    sign = int(np.sign(row["difference"]))
    if not row["expected"]:
        return "higher" if sign > 0 else "lower"
    return "as expected" if sign == row["expected"] else "against expectation"


def _beside(row: pd.Series, others: pd.DataFrame, alpha: float) -> str:
    """Say beside which controls the association holds."""
    marks = {} if not np.isfinite(row["null_p"]) else {"random signatures": row["null_p"] < alpha}
    for record in others.to_dict(orient="records"):
        told = bool(record["valid"]) and np.isfinite(record["p"])
        marks[str(record["adjusted_for"])] = record["p"] < alpha if told else None
    words = {True: "yes", False: "no", None: "cannot be said"}
    order = sorted(marks, key=lambda m: (m != "random signatures", m != PROLIFERATION))
    return "; ".join(f"{m}: {words[None if marks[m] is None else bool(marks[m])]}" for m in order)
