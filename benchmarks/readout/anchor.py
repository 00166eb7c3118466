"""The tissue anchor: every score against measured signalling in the same tumours.

Usage, from the repository's root: python -m benchmarks.readout.anchor --shared ../shared

Writes tables/tissue_anchor.tsv (one row per cohort, score and antibody), tables/pairing.tsv (mRNA against its own
protein) and docs/evidence/tissue_anchor.md. What it tests was declared before (`anchor_plan`). About one minute on one
core.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import subprocess
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

import mtorscore as mt
from benchmarks.readout import estimator_weights
from benchmarks.readout.anchor_page import page
from benchmarks.readout.anchor_plan import (
    ANTIBODIES,
    CONFOUNDERS,
    LEAST_SITE,
    N_RANDOM,
    PAIRED,
    SEEN,
    SEEN_AGAINST,
    claim,
)
from benchmarks.readout.rppa import AXES, COHORTS, Measured, axes, measured
from mtorscore._multiple_testing import adjust_p
from mtorscore.collection import Composite, Entry, SignatureCollection
from mtorscore.prognosis.association.meta_analysis import combine

Float = npt.NDArray[np.float64]

LIPOGENIC = ("FASN", "ACC1", "SCD")
BINS = 20
COLUMNS = [
    "cohort", "signature", "antibody", "claim", "n", "rho", "low", "high", "p", "q", "percentile",
    "given_proliferation", "given_hepatocyte", "given_stroma_immune", "given_site", "ceiling", "seen",
]  # fmt: skip
TABLES = Path(__file__).parent / "tables"


def spearman_interval(rho: Float, n: int) -> tuple[Float, Float, Float]:
    """Return the 95% interval (Fisher's scale, error of Bonett and Wright) and p (t distribution) of a Spearman rho."""
    error = np.sqrt((1 + rho**2 / 2) / (n - 3))
    middle = np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12))
    half = stats.norm.ppf(0.975) * error
    t = rho * np.sqrt((n - 2) / np.clip(1 - rho**2, 1e-12, None))
    return np.tanh(middle - half), np.tanh(middle + half), 2 * stats.t.sf(np.abs(t), n - 2)


def standard(values: Float) -> Float:
    """Return columns with mean 0 and squares that sum to 1; a constant column is NaN."""
    centred = values - values.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        out: Float = centred / np.sqrt((centred**2).sum(axis=0))
    return out


def ranks(values: npt.ArrayLike) -> Float:
    """Return standardised ranks per column, so that a product of two is Spearman's correlation."""
    return standard(stats.rankdata(np.asarray(values, dtype=np.float64), axis=0))


def partial(first: Float, second: Float, given: Float) -> Float:
    """Return correlations of columns of ranks given other columns of ranks (residuals of both)."""
    q, _ = np.linalg.qr(np.column_stack([np.ones(len(given)), given]))
    left, right = (standard(v - q @ (q.T @ v)) for v in (first, second))
    # What the other columns determine leaves only rounding errors.
    out: Float = left.T @ right
    out[((first - q @ (q.T @ first)) ** 2).sum(axis=0) < 1e-9] = np.nan
    return out


def antibodies(protein: pd.DataFrame) -> pd.DataFrame:
    """Return tumours x `ANTIBODIES`: axes, lipogenic enzymes, and single antibodies."""
    lipogenic = pd.DataFrame({"lipogenic enzymes": protein[list(LIPOGENIC)].mean(axis=1)})
    return pd.concat([axes(protein), lipogenic, protein], axis=1)[list(ANTIBODIES)]


def ceilings(protein: pd.DataFrame) -> dict[str, float]:
    """Return the mean Spearman correlation between the antibodies of each axis."""
    out = {}
    for axis, sites in [*AXES.items(), ("lipogenic enzymes", LIPOGENIC)]:
        pairs = [stats.spearmanr(protein[a], protein[b]).statistic for a, b in itertools.combinations(sites, 2)]
        out[axis] = float(np.mean(pairs))
    return out


def observed_scores(one: Measured, library: SignatureCollection, unseen: SignatureCollection) -> pd.DataFrame:
    """Return tumours x signatures, composites (parts in SD of these tumours) and ratios.

    What was learned from these tumours has the weights that it has without them (`unseen`), by the weighted mean.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mt.errors.MtorscoreWarning)
        scored = mt.tl.score(one.rna, library, method="singscore", copy=True)
    scores = scored.obsm["score_singscore"]
    columns = {s.id: scores[s.id] for s in library.signatures if scores[s.id].notna().all()}
    if len(unseen):
        columns |= dict(mt.tl.score(one.rna, unseen, method="wmean", copy=True).obsm["score_wmean"].items())
    ratio = scored.obsm["ratio"]
    columns |= {c: ratio[c] for c in ratio if np.isfinite(ratio[c]).all()}
    table = pd.DataFrame(columns)
    for c in (e for e in library if isinstance(e, Composite)):
        if set(c.parts) <= set(table):
            table[c.id] = composite_of({p: table[[p]].to_numpy() for p in c.parts}, c)[:, 0]
    return table


def composite_of(parts: dict[str, Float], composite: Composite) -> Float:
    """Return the weighted sum of parts, each column in its own SD."""
    total: Float = sum(  # type: ignore[assignment]
        w * (parts[name] - parts[name].mean(axis=0)) / parts[name].std(axis=0, ddof=1)
        for name, w in composite.parts.items()
    )
    return total


def random_ranks(
    one: Measured, library: SignatureCollection, names: Sequence[str], unseen: SignatureCollection
) -> Iterator[tuple[str, Float]]:
    """Yield each score's random counterparts as standardised ranks, ``(tumours, N_RANDOM)``."""
    composites = [e for e in library if isinstance(e, Composite) and e.id in set(names)]
    parts = {p for c in composites for p in c.parts}
    asked = {n for n in {*names, *parts} if n not in unseen}
    kept: dict[str, Float] = {}
    for collection, method in (
        (library.select([n for n in library.names if n in asked]), "singscore"),
        (unseen, "wmean"),
    ):
        for name, scores in _random(one, collection, method):
            if name in parts:
                kept[name] = scores
            if name in set(names):
                yield name, ranks(scores)
    for c in composites:
        yield c.id, ranks(composite_of({p: kept[p] for p in c.parts}, c))


def _random(one: Measured, collection: SignatureCollection, method: str) -> Iterator[tuple[str, Float]]:
    resolved = collection.resolve(list(one.rna.var_names))
    templates = []
    for i in range(len(resolved.names)):
        part = slice(resolved.indptr[i], resolved.indptr[i + 1])
        templates.append((resolved.indices[part].astype(np.int64), resolved.weights[part].astype(np.float64)))
    held = mt.tl.random_scores(
        np.asarray(one.rna.X), templates, N_RANDOM, method=method, bins=BINS, seed=0,
        streams=[collection[n].hash for n in resolved.names],
    )  # fmt: skip
    for number, scores in held:
        yield resolved.names[number], scores


def of_cohort(one: Measured, library: SignatureCollection) -> pd.DataFrame:
    """Return one row per score and antibody of a cohort."""
    unseen = estimator_weights.without(library, one.name, estimator_weights.read())
    table, protein = observed_scores(one, library, unseen), antibodies(one.protein)
    score_ranks, protein_ranks, n = ranks(table), ranks(protein), len(table)
    rho = score_ranks.T @ protein_ranks
    given = {
        f"given_{role}": partial(score_ranks, protein_ranks, ranks(table[list(names)]))
        for role, names in CONFOUNDERS.items()
    }
    given["given_site"] = partial(score_ranks, protein_ranks, _sites(one))
    percentile = np.full(rho.shape, np.nan)
    place = {name: i for i, name in enumerate(table)}
    for name, null in random_ranks(one, library, list(table), unseen):
        drawn = null.T @ protein_ranks
        percentile[place[name]] = 100 * np.nanmean(drawn < rho[place[name]], axis=0)
    low, high, p = spearman_interval(rho, n)
    ceiling = ceilings(one.protein)
    claims = {name: claim(library[name]) for name in table}
    seen = SEEN.get(one.name, ())
    rows = [
        {
            "cohort": one.name, "signature": name, "antibody": antibody, "n": n,
            "claim": claims[name][1] if claims[name][0] == antibody else 0,
            "rho": rho[i, j], "low": low[i, j], "high": high[i, j], "p": p[i, j], "percentile": percentile[i, j],
            "ceiling": ceiling.get(antibody, np.nan), "seen": int(name in seen and antibody in SEEN_AGAINST),
        }
        | {key: values[i, j] for key, values in given.items()}
        for i, name in enumerate(table)
        for j, antibody in enumerate(protein)
    ]  # fmt: skip
    return with_q(pd.DataFrame(rows))


def with_q(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with Benjamini and Hochberg's q: the claims are one family, all other pairs another."""
    table["q"] = np.nan
    for family in (table["claim"] != 0, table["claim"] == 0):
        table.loc[family, "q"] = adjust_p(table.loc[family, "p"])
    return table[[c for c in COLUMNS if c in table]]


def combined(tables: Sequence[pd.DataFrame], name: str, *, knapp: bool) -> pd.DataFrame:
    """Return random-effects combinations of the cohorts' correlations, on Fisher's scale."""
    rows = []
    for (signature, antibody), part in pd.concat(tables).groupby(["signature", "antibody"], sort=False):
        part = part[part["rho"].notna()]
        if len(part) < 2:
            continue
        y = np.arctanh(part["rho"].to_numpy())
        se = np.sqrt((1 + part["rho"].to_numpy() ** 2 / 2) / (part["n"].to_numpy() - 3))
        found = combine(y, se, knapp=knapp)
        middle, low, high = (float(np.tanh(np.log(found[k]))) for k in ("hr", "hr_low", "hr_high"))
        rows.append(
            {"cohort": name, "signature": signature, "antibody": antibody, "claim": int(part["claim"].iloc[0]),
             "n": int(part["n"].sum()), "rho": middle, "low": low, "high": high, "p": found["p"], "seen": 0}
        )  # fmt: skip
    return with_q(pd.DataFrame(rows))


def _sites(one: Measured) -> Float:
    site = one.rna.obs["site"].astype(str)
    counts = site.value_counts()
    kept = site.where(site.map(counts) >= LEAST_SITE, "other")
    return pd.get_dummies(kept, drop_first=True).to_numpy(dtype=np.float64)


def pairing(one: Measured) -> pd.DataFrame:
    """Return mRNA against its own protein, and the mean over 200 pairings of wrong tumours beside it."""
    rng = np.random.default_rng(0)
    genes = set(one.rna.var_names)
    rows = []
    for gene, antibody in PAIRED:
        if gene in genes and antibody in one.protein:
            x, y = ranks(one.rna[:, gene].X), ranks(one.protein[[antibody]])
            wrong = [float(x[:, 0] @ y[rng.permutation(len(y)), 0]) for _ in range(200)]
            rows.append((one.name, gene, antibody, len(x), float(x[:, 0] @ y[:, 0]), float(np.quantile(wrong, 0.95))))
    columns = ["cohort", "gene", "antibody", "n", "rho", "wrong_pairs_95"]
    return pd.DataFrame(rows, columns=columns)


def header() -> str:
    """Return comment lines that say how a table was made."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    lines = {
        "command": "python -m benchmarks.readout.anchor --shared FOLDER",
        "commit": commit.stdout.strip() or "unknown",
        "date": datetime.date.today().isoformat(),
        "mtorscore": mt.__version__,
        "library": mt.library().version,
        "source": "TCGA open-access tier (TCPA, MD Anderson; Li J et al., Nat Methods 2013;10:1046)",
    }
    return "".join(f"# {key}: {value}\n" for key, value in lines.items())


def entries_of(library: SignatureCollection) -> SignatureCollection:
    """Return what is held against proteins: all but panels."""
    kept: list[Entry] = [e for e in library if e.kind != "panel"]
    return SignatureCollection(kept, version=library.version)


def measure(shared: Path, library: SignatureCollection) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the whole anchor and the check of the pairing."""
    tables, pairs = [], []
    for one in measured(shared):
        tables.append(of_cohort(one, library))
        pairs.append(pairing(one))
        print(one.name, one.rna.shape, flush=True)
    other = [t for t in tables if COHORTS[str(t["cohort"].iloc[0])] == "other tumours"]
    tables += [combined(other, "other tumours", knapp=False), combined(tables, "all", knapp=True)]
    return pd.concat(tables, ignore_index=True)[COLUMNS], pd.concat(pairs, ignore_index=True)


def written(table: pd.DataFrame, path: Path, text: str) -> pd.DataFrame:
    """Write a table below its header lines and return it as it is read back."""
    path.write_text(text + table.to_csv(sep="\t", index=False, float_format="%.3g"), encoding="utf-8")
    return pd.read_csv(path, sep="\t", comment="#")


def main() -> None:
    """Run everything and write tables and page."""
    parser = argparse.ArgumentParser(description="Every score against measured signalling in tumours.")
    parser.add_argument("--shared", type=Path, required=True, help="folder with data/tcga-rppa and so on")
    parser.add_argument("--out", type=Path, default=TABLES)
    arguments = parser.parse_args()
    anchor, pairs = measure(arguments.shared, entries_of(mt.library(experimental=True)))
    text = header()
    anchor = written(anchor, arguments.out / "tissue_anchor.tsv", text)
    pairs = written(pairs, arguments.out / "pairing.tsv", text)
    docs = Path(__file__).resolve().parents[2] / "docs" / "evidence" / "tissue_anchor.md"
    docs.write_text(page(anchor, pairs, text), encoding="utf-8")


if __name__ == "__main__":
    main()
