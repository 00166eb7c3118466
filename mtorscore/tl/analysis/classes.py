"""Classes of tumours by published marker lists: nearest template, and a rank caller for single samples.

Both callers look at the order of the marker genes within a sample alone, so that they do not depend on the scale or the
library size. A sample's values are its percentiles among the genes of the scheme that the matrix holds.

References
----------
Hoshida, PLoS One 2010;5:e15543 (nearest template prediction); Hoshida et al., Cancer Res 2009;69:7385.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore._multiple_testing import adjust_p
from mtorscore.errors import DataError, MethodError, examples
from mtorscore.tl.analysis.class_samples import (
    LEAST_COHORT,
    Markers,
    check_cancer,
    check_scale,
    doubts,
    foreign,
    fragile_genes,
    nearest_template,
    rank_scores,
    read_markers,
    standardised,
)
from mtorscore.tl.analysis.class_schemes import Scheme, scheme

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["CALLERS", "classify"]

CALLERS = ("template", "rank")
REFERENCES = ("auto", "frozen", "cohort")


def classify(
    adata: AnnData,
    scheme: str | Path | Scheme | Any,
    *,
    caller: str = "template",
    layer: str | None = None,
    reference: str = "auto",
    cancer: str | None = None,
    alpha: float = 0.05,
    margin: float | None = None,
    n_permutations: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Call the class of every observation by the templates of a scheme.

    Parameters
    ----------
    adata
        Observations x genes (current symbols), on log scale.
    scheme
        ``"hoshida"`` or another id of `mtorscore.tl.schemes`, a YAML file, or a `Scheme`. Also a fitted model
        of classes (`prognosis.load_model`), whose ``classify`` is then called.
    caller
        ``"template"``: cosine distance to each class's template after standardising every marker by a reference.
        ``"rank"``: mean percentile of a class's up genes less that of its down genes (or of the other classes' genes),
        against the frozen reference; it never looks at another sample.
    layer
        Layer instead of ``X``.
    reference
        Of the template caller: ``"frozen"`` (means and SDs in the scheme), ``"cohort"`` (those of this cohort, from 10
        observations on), or ``"auto"``: frozen, but the cohort where most markers lie elsewhere than in the reference,
        as on another platform. Of fewer observations, and by rank, those are rejected that lie so far off.
    cancer
        What these tumours are, such as ``"HCC"``; by default what the object records. Tumours that the scheme does not
        speak of are refused.
    alpha
        A call with a q-value above it is rejected.
    margin
        A call whose distance (or score) is nearer than this to the next class is rejected; none by default.
    n_permutations, seed
        Permutations of the markers, for p.

    Returns
    -------
    pandas.DataFrame
        Per observation `class`, `p` (permutation: the nearest template of as many random markers is as near), `q`
        (Benjamini-Hochberg over the observations), `margin` (to the second class), `rejected` with `reason`, `second`,
        ``distance_<class>`` (rank caller: ``score_<class>``), `genes` (markers matched) and `coverage`,
        `changes_without` (fewest genes whose loss changes the call, first the strongest), `scheme`, `caller` and
        `reference` (which one, in words). A rejected observation has no class; `nearest` names the nearest one.

    Raises
    ------
    DataError
        If the values are not on log scale, the tumours are of another cancer, or a class has too few genes.
    MethodError
        If an option is unknown, or neither the scheme nor the cohort is a reference.
    SignatureError
        If there is no such scheme.
    """
    if hasattr(scheme, "classify"):
        found: pd.DataFrame = scheme.classify(adata if layer is None else _of_layer(adata, layer))
        return found
    if caller not in CALLERS or reference not in REFERENCES:
        raise MethodError(
            f"Callers are {', '.join(CALLERS)}, references {', '.join(REFERENCES)}; got {caller!r} and {reference!r}. "
            "Trained callers are models: prognosis.fit_model, prognosis.load_model."
        )
    if n_permutations < 1 or not 0 < alpha <= 1:
        raise MethodError(f"n_permutations must be 1 at least and alpha lie in (0, 1]; got {n_permutations}, {alpha}.")
    chosen = _scheme(scheme)
    check_cancer(adata, chosen, cancer)
    check_scale(adata, layer)
    markers = read_markers(adata, chosen, layer)
    _check_genes(chosen, markers)
    doubt = doubts(markers, chosen, declared=cancer is not None)
    if caller == "rank" or (len(markers.index) < LEAST_COHORT and reference == "auto"):
        doubt = ["; ".join(filter(None, both)) for both in zip(doubt, foreign(markers, chosen), strict=True)]
    rng = np.random.default_rng(seed)
    if caller == "rank":
        values, p, said = rank_scores(markers, chosen, n_permutations, rng)
        weight = None
    else:
        z, said = standardised(markers, chosen, reference)
        values, p, weight = nearest_template(z, markers, n_permutations, rng)
    table = _table(markers, values, p, alpha, margin, doubt)
    name = "score" if caller == "rank" else "distance"
    for k, c in enumerate(markers.classes):
        table[f"{name}_{c}"] = values[:, k] if caller == "rank" else 1 - values[:, k]
    table["genes"] = markers.values.shape[1]
    table["coverage"] = markers.values.shape[1] / len(chosen.genes)
    table["changes_without"] = fragile_genes(markers, values, weight)
    return table.assign(scheme=chosen.id, caller=caller, reference=said)


def _scheme(given: Any) -> Scheme:
    return scheme(given)


def _of_layer(adata: AnnData, layer: str) -> AnnData:
    import anndata as ad

    return ad.AnnData(adata.layers[layer], obs=adata.obs, var=adata.var, uns=dict(adata.uns))


def _check_genes(chosen: Scheme, markers: Markers) -> None:
    """Refuse a panel in which a class has too few genes."""
    here = set(markers.genes)
    few = {}
    for name, t in chosen.classes.items():
        listed = len(t.up) + len(t.down)
        found = sum(g in here for g in (*t.up, *t.down))
        if found < min(chosen.least, listed):
            few[name] = f"{name} ({found} of {listed})"
    if few:
        raise DataError(
            f"Scheme {chosen.id} needs {chosen.least} genes of each class (or all, where a class has fewer); this "
            f"matrix has too few of {examples(few.values(), 5)}. Run pp.harmonise_genes first if its identifiers are "
            "no current symbols; otherwise this panel cannot tell these classes apart."
        )


def _table(
    markers: Markers,
    values: np.ndarray[Any, Any],
    p: np.ndarray[Any, Any],
    alpha: float,
    margin: float | None,
    doubt: list[str],
) -> pd.DataFrame:
    """Return calls with what speaks against them; `values` are higher where a class is nearer."""
    names = np.asarray(markers.classes, dtype=object)
    known = np.isfinite(values).all(axis=1)
    order = np.argsort(-np.where(np.isfinite(values), values, -np.inf), axis=1, kind="stable")
    rows = np.arange(len(values))
    gap = values[rows, order[:, 0]] - values[rows, order[:, 1]]
    q = adjust_p(p)
    reasons = []
    for i in rows:
        found = [doubt[i]] if doubt[i] else []
        if not known[i]:
            found.append("every marker has the same value")
        elif q[i] > alpha:
            found.append(f"no template is nearer than random markers (q {q[i]:.2g})")
        if margin is not None and known[i] and gap[i] < margin:
            found.append(f"{names[order[i, 0]]} and {names[order[i, 1]]} are equally near")
        reasons.append("; ".join(found))
    nearest = pd.Series(names[order[:, 0]], dtype=object).where(known, None)
    rejected = np.array([bool(r) for r in reasons], dtype=bool)
    return pd.DataFrame(
        {
            "class": nearest.where(~rejected, None).to_numpy(), "p": p, "q": q, "margin": gap, "rejected": rejected,
            "reason": reasons, "nearest": nearest.to_numpy(),
            "second": pd.Series(names[order[:, 1]], dtype=object).where(known, None).to_numpy(),
        },
        index=markers.index,
    )  # fmt: skip
