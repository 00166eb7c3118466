"""Change of translation efficiency on simulated ribosome profiles, beside PyDESeq2.

Usage, from the repository's root: python -m benchmarks.translation.run [REPETITIONS] [--peer PYTHON] [--kept FOLDER]
Writes benchmarks/translation/translation.tsv and docs/evidence/translation.md. PYTHON is an interpreter with pydeseq2;
without it the peer's rows are left out.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.translation.simulate import SETTINGS, Experiment, Setting, simulate
from mtorscore import __version__
from mtorscore.tl import translation_efficiency

__all__ = ["OURS", "PEER", "measure", "ours", "summary"]

Float = npt.NDArray[np.float64]
HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "evidence" / "translation.md"
OURS, PEER = "translation_efficiency", "PyDESeq2"
LEVEL = 0.05


def ours(of: Experiment) -> tuple[Float, Float]:
    """Return p and q per gene, NaN where a gene is not kept."""
    names = [f"s{i}" for i in range(len(of.treated))]
    tables = [pd.DataFrame(c.astype(float), index=names) for c in (of.footprints, of.mrna)]
    groups = np.where(of.treated, "t", "c").tolist()
    te = translation_efficiency(*tables, groups=groups, treated="t", control="c")
    genes = [str(g) for g in range(len(of.change))]
    found = te.var[["p", "q"]].reindex(genes).to_numpy()
    return found[:, 0], found[:, 1]


def counted(of: Setting, test: str, repetition: int, p: Float, q: Float, change: Float) -> dict[str, object]:
    """Return what a test found in one experiment."""
    called, true = np.nan_to_num(q, nan=1.0) <= LEVEL, change != 0
    hits, wrong = int((called & true).sum()), int((called & ~true).sum())
    return {
        "setting": of.name, "n": of.n, "dispersion": of.dispersion, "shared": of.shared, "test": test,
        "repetition": repetition, "found": hits, "wrong": wrong, "fdp": wrong / max(hits + wrong, 1),
        "power": hits / true.sum(), "null_below_5": np.nanmean(p[~true] <= LEVEL),
    }  # fmt: skip


def measure(
    of: Setting, repetitions: int, seed: int = 0, peer: str | None = None, kept: Path | None = None, theirs: int = 5
) -> pd.DataFrame:
    """Return one row per test and simulated experiment of a setting.

    The peer has the first `theirs` of them. With `kept`, a folder, its results are kept there and those of a run
    before are taken.
    """
    made = [simulate(of, np.random.default_rng([seed, r])) for r in range(repetitions)]
    rows = [counted(of, OURS, r, *ours(one), one.change) for r, one in enumerate(made)]
    if peer is None:
        return pd.DataFrame(rows)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if kept is None else kept / of.name.replace(" ", "_")
        folder.mkdir(exist_ok=True, parents=True)
        for r, one in enumerate(made[:theirs]):
            np.savez(folder / f"experiment_{r:04d}.npz", footprints=one.footprints, mrna=one.mrna, treated=one.treated)
        subprocess.run([peer, str(HERE / "peer.py"), str(folder)], check=True)
        for r, one in enumerate(made[:theirs]):
            found = np.load(folder / f"found_{r:04d}.npz")
            rows.append(counted(of, PEER, r, found["p"], found["q"], one.change))
    return pd.DataFrame(rows)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return false discovery rate and power per setting and test with Monte-Carlo errors, and the share of the peer's.

    `power_of_peer` is the ratio of mean powers on the same experiments.
    """
    out = []
    for (setting, test), part in rows.groupby(["setting", "test"], sort=False):
        n = len(part)
        row = part.iloc[0][["setting", "n", "dispersion", "shared", "test"]].to_dict() | {"repetitions": n}
        for column in ("fdp", "power"):
            row[column] = part[column].mean()
            row[f"{column}_mc_error"] = part[column].std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
        row["null_below_5"] = part["null_below_5"].mean()
        theirs = rows[(rows["setting"] == setting) & (rows["test"] == PEER)]
        same = part[part["repetition"].isin(theirs["repetition"])]
        row["power_of_peer"] = same["power"].mean() / theirs["power"].mean() if len(theirs) else np.nan
        if test == OURS:
            level = row["fdp"] <= LEVEL + 2 * row["fdp_mc_error"]
            row["fdr_holds"] = "yes" if level else "no"
            row["power_holds"] = (
                "" if np.isnan(row["power_of_peer"]) else "yes" if row["power_of_peer"] >= 0.9 else "no"
            )
        out.append(row)
    return pd.DataFrame(out)


def page(table: pd.DataFrame, header: dict[str, str]) -> str:
    """Return docs/evidence/translation.md."""
    shown = table.drop(columns=["n", "dispersion", "shared"])
    lines = ["| " + " | ".join(shown.columns) + " |", "| --- " * shown.shape[1] + "|"]
    for row in shown.itertuples(index=False):
        cells = ["" if v is None or v != v else f"{v:.3f}" if isinstance(v, float) else str(v) for v in row]
        lines.append("| " + " | ".join(cells) + " |")
    settings = "\n".join(
        f"- {s.name}: {s.n} samples per group, dispersion {s.dispersion:g}, {s.shared:.0%} of it common to both assays"
        for s in SETTINGS
    )
    return f"""# Change of translation efficiency: level and power

Written by `python -m benchmarks.translation.run`; no figure is typed by hand. Simulated ribosome profiles of 1,500
genes with negative-binomial counts: 60 abundant genes in the place of 5'TOP mRNAs fall by one log2 unit, 75 others
change by about one unit either way, and three in ten genes change their mRNA alone. PyDESeq2 tests the interaction of
assay and group, on the first of the experiments. A gene is found at q of at most 5%.

{settings}

`fdp` is the mean share of wrong genes among those found (asked: at most 5% and two Monte-Carlo errors), `power` the
share of changed genes that are found, `null_below_5` the share of unchanged genes with p of at most 5%,
`power_of_peer` the power as a share of PyDESeq2's on the same experiments (asked: at least 0.9).

{chr(10).join(lines)}

The prior of a gene's variance follows its counting noise, as in limma's trend; both assays inform on one factor per
gene; what they share within a sample is taken off; and genes too noisy to be found carry no q where that helps the
others. One prior for all genes, as before, took abundant genes for noisy ones. PyDESeq2 refers to
the normal distribution; here it is t, with the degrees of freedom that the scatter of the genes allows, which costs
power where there are two replicates. Where samples differ in what both assays share, PyDESeq2's interaction counts it
as noise. In the noisy setting hardly a gene can be found, and PyDESeq2's genes there
are wrong more often than it says, so that its power is no measure.

{chr(10).join(f"- {k}: {v}" for k, v in header.items())}
"""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Level and power of the change of translation efficiency.")
    parser.add_argument("repetitions", type=int, nargs="?", default=60)
    parser.add_argument("--peer", help="interpreter with pydeseq2")
    parser.add_argument("--theirs", type=int, default=5, help="experiments per setting that the peer has")
    parser.add_argument("--kept", type=Path, help="folder in which the peer's results are kept, and found again")
    asked = parser.parse_args()
    rows = pd.concat(
        [measure(s, asked.repetitions, 0, asked.peer, asked.kept, asked.theirs) for s in SETTINGS], ignore_index=True
    )
    table = summary(rows)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    header = {
        "command": f"python -m benchmarks.translation.run {asked.repetitions} --theirs {asked.theirs} --peer PYTHON",
        "commit": commit.stdout.strip(), "date": date.today().isoformat(), "mtorscore": __version__,
    }  # fmt: skip
    text = "".join(f"# {k}: {v}\n" for k, v in header.items())
    (HERE / "translation.tsv").write_text(
        text + table.to_csv(sep="\t", index=False, float_format="%.4f", lineterminator="\n"), encoding="utf-8"
    )
    PAGE.write_text(page(table, header), encoding="utf-8")
    print(table.to_string())


if __name__ == "__main__":
    main()
