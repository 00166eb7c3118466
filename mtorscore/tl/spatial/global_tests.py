"""Whether a score is like that of its neighbours: Moran's I, Geary's C, Getis and Ord's G."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore._multiple_testing import adjust_p
from mtorscore.errors import MethodError, examples
from mtorscore.tl.spatial.lobules import without_zonation
from mtorscore.tl.spatial.sections import GRAPH, Floats, Ints, Sections, graph_of, scores_of, sections
from mtorscore.tl.spatial.statistics import STATISTICS, Part, Sums

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["ALL_SECTIONS", "autocorrelation"]

ALTERNATIVES = ("clustered", "dispersed", "two-sided")
ALL_SECTIONS = "all sections"
MIN_OBSERVATIONS = 30
_COLUMNS = (
    "signature", "section", "statistic", "estimate", "expected", "sd", "z", "p", "q", "least_p", "n", "edges",
    "isolated", "sections", "permutations", "zonation", "reason",
)  # fmt: skip
# What an order of summation may add to two equal statistics.
_ROUNDING = 1e-10


def autocorrelation(
    adata: AnnData,
    *,
    method: str | None = None,
    signatures: str | Sequence[str] | None = None,
    statistic: str | Sequence[str] = STATISTICS,
    section_key: str | None = None,
    zonation: str | None = None,
    alternative: str = "clustered",
    n_permutations: int = 999,
    weights: str = "rows",
    graph: str = GRAPH,
    seed: int = 0,
) -> pd.DataFrame:
    """Test whether neighbours have like scores, by permutations within sections.

    With x the scores, w the weights of the graph, n observations and W the sum of w:
    Moran's I = n/W sum w_ij (x_i - m)(x_j - m) / sum (x_i - m)^2 (Biometrika 1950;37:17); Geary's
    C = (n-1)/(2W) sum w_ij (x_i - x_j)^2 / sum (x_i - m)^2 (Incorp Stat 1954;5:115); Getis and Ord's
    G = sum w_ij x_i x_j / sum_{i != j} x_i x_j (Geogr Anal 1992;24:189), for scores that are not negative.

    Scores are permuted within each section, so that a difference between sections (stain, depth, patient) is not
    called a pattern. The expected value is exact for these permutations; with one section it is -1/(n-1), 1 and
    W/(n(n-1)). A pattern in one section does not say that it is found in other patients: `contrast` compares over
    sections.

    Parameters
    ----------
    adata
        Scored observations with a graph, see `neighbours`.
    method, signatures
        Which scores.
    statistic
        Some of ``"moran"``, ``"geary"``, ``"getis_ord"``.
    section_key
        Column of ``.obs`` that names the section; by default that of the graph.
    zonation
        Key of `zonation`: what follows the portal-to-central axis in each section is taken out first.
    alternative
        ``"clustered"`` (neighbours are alike), ``"dispersed"`` or ``"two-sided"``.
    n_permutations
        Drawn with `seed`, the same ones for all signatures.
    weights
        ``"rows"``: each row of the graph has sum 1 (squidpy's ``transformation=True``); ``"binary"``: each neighbour
        counts 1, so that observations with more neighbours count more.
    graph
        Key in ``.obsp``.
    seed
        Of the permutations.

    Returns
    -------
    pandas.DataFrame
        One row per signature, statistic and section, those over all sections first: ``signature, section, statistic,
        estimate, expected, sd`` (of the permutations), ``z, p, q`` (Benjamini-Hochberg over the signatures of one
        statistic and section), ``least_p, n, edges, isolated`` (observations without neighbours), ``sections,
        permutations, zonation, reason`` (why there is no number).

    Raises
    ------
    MethodError
        If a statistic or an alternative is unknown.
    DataError
        If there are no scores, no graph, or an edge leads to another section.
    """
    import pandas as pd

    wanted = [statistic] if isinstance(statistic, str) else list(statistic)
    _check(wanted, alternative, n_permutations, weights)
    where = sections(adata, section_key)
    linked = graph_of(adata, graph, where, binary=weights == "binary")
    table = scores_of(adata, method, signatures)
    values, lost = without_zonation(adata, table.to_numpy(dtype=np.float64), where, zonation)
    rows: list[dict[str, Any]] = []
    for columns, kept in _patterns(values, where.codes):
        names = [str(table.columns[c]) for c in columns]
        if not kept.size:
            rows += [_nothing(n, s, "no observation has a value") for n in names for s in wanted]
            continue
        part = Part(values[np.ix_(kept, columns)], linked[kept][:, kept], where.codes[kept])
        drawn = part.permuted(n_permutations, seed)
        for name in wanted:
            for pooled in (True, False) if len(where.names) > 1 else (True,):
                rows += _rows(part, drawn, name, pooled, names, where, alternative)
    found = pd.DataFrame(rows, columns=list(_COLUMNS))
    return _finished(found, table.columns, wanted, n_permutations, lost, zonation)


def _check(wanted: Sequence[str], alternative: str, n_permutations: int, weights: str) -> None:
    if weights not in ("rows", "binary"):
        raise MethodError(f"weights={weights!r} is not known; choose 'rows' or 'binary'.")
    unknown = [s for s in wanted if s not in STATISTICS]
    if unknown or not wanted:
        raise MethodError(f"No statistic is called {examples(map(repr, unknown))}; there are {', '.join(STATISTICS)}.")
    if alternative not in ALTERNATIVES:
        raise MethodError(f"alternative={alternative!r} is not known; choose one of {', '.join(ALTERNATIVES)}.")
    if n_permutations < 19:
        raise MethodError(f"{n_permutations} permutations cannot show a p below 0.05; draw 19 at least.")


def _patterns(values: Floats, codes: Ints) -> list[tuple[Ints, Ints]]:
    """Return signatures that miss the same observations together, with the observations that they have."""
    known = ~np.isnan(values) & (codes >= 0)[:, None]
    groups: dict[bytes, list[int]] = {}
    for column in range(values.shape[1]):
        groups.setdefault(known[:, column].tobytes(), []).append(column)
    return [
        (np.array(columns, dtype=np.int64), np.flatnonzero(known[:, columns[0]]).astype(np.int64))
        for columns in groups.values()
    ]


def _rows(
    part: Part, drawn: Sums, name: str, pooled: bool, names: list[str], where: Sections, alternative: str
) -> list[dict[str, Any]]:
    """Return the rows of one statistic, over all sections or of each."""
    estimate, expected, sims = (part.statistic(name, s, pooled=pooled) for s in (part.sums(), part.expected(), drawn))
    constant, lowest = part.constant(), part.x.min(axis=0) + part.shift
    places = [slice(None)] if pooled else [slice(k, k + 1) for k in range(len(part.codes))]
    rows = []
    for k, place in enumerate(places):
        n = int(part.sizes[place].sum())
        about = {
            "section": ALL_SECTIONS if pooled else where.names[part.codes[k]],
            "statistic": name,
            "n": n,
            "edges": int(part.edges[place].sum()),
            "isolated": int(part.isolated[place].sum()),
            "sections": len(part.codes[place]),
        }
        for j, signature in enumerate(names):
            why = _why(name, n, int(part.edges[place].sum()), bool(constant[place, j].all()), float(lowest[j]))
            tested = _tested(estimate[k, j], expected[k, j], sims[:, k, j], name, alternative) if not why else {}
            rows.append({"signature": signature} | about | tested | {"reason": why})
    return rows


def _why(name: str, n: int, edges: int, constant: bool, lowest: float) -> str:
    """Return why there is no statistic, or nothing."""
    if n < MIN_OBSERVATIONS:
        return f"{n} observations have a score, fewer than {MIN_OBSERVATIONS}"
    if not edges:
        return "no observation with a score has a neighbour with one"
    if constant:
        return "all scores are equal"
    if name == "getis_ord" and lowest < 0:
        return "G needs scores that are not negative; see hotspots for G* of each observation"
    return ""


def _tested(estimate: float, expected: float, sims: Floats, name: str, alternative: str) -> dict[str, Any]:
    """Compare an estimate with those of permutations; alike neighbours raise I and G and lower C."""
    least = _ROUNDING * max(abs(estimate), abs(expected))
    high, low = int((sims >= estimate - least).sum()), int((sims <= estimate + least).sum())
    if name == "geary":
        high, low = low, high
    extreme = {"clustered": high, "dispersed": low}.get(alternative, min(high, low))
    p = (extreme + 1) / (len(sims) + 1)
    sd = float(sims.std(ddof=1))
    return {
        "estimate": float(estimate),
        "expected": float(expected),
        "sd": sd,
        "z": float((estimate - expected) / sd) if sd > 0 else np.nan,
        "p": min(1.0, 2 * p) if alternative == "two-sided" else p,
        "least_p": (2 if alternative == "two-sided" else 1) / (len(sims) + 1),
    }


def _nothing(signature: str, statistic: str, why: str) -> dict[str, Any]:
    counts = dict.fromkeys(("n", "edges", "isolated", "sections"), 0)
    return {"signature": signature, "section": ALL_SECTIONS, "statistic": statistic, "reason": why} | counts


def _finished(
    found: pd.DataFrame, signatures: Any, wanted: Sequence[str], n_permutations: int, lost: str, zonation: str | None
) -> pd.DataFrame:
    """Order the rows, adjust p within each family, and say what was taken out."""
    place = {str(s): i for i, s in enumerate(signatures)}
    kinds = {s: i for i, s in enumerate(wanted)}
    order = sorted(
        range(len(found)),
        key=lambda i: (
            found["section"].iat[i] != ALL_SECTIONS,
            place[found["signature"].iat[i]],
            kinds[found["statistic"].iat[i]],
            str(found["section"].iat[i]),
        ),
    )
    found = found.iloc[order].reset_index(drop=True)
    q = np.full(len(found), np.nan)
    for _, family in found.groupby(["section", "statistic"], sort=False):
        rows = found.index.get_indexer(family.index)
        q[rows] = adjust_p(family["p"].to_numpy(dtype=np.float64))
    found["q"], found["permutations"], found["zonation"] = q, n_permutations, zonation or ""
    if lost:
        said = [lost if not r else f"{r}; {lost}" for r in found["reason"]]
        found["reason"] = np.asarray(said, dtype=object)
    return found
