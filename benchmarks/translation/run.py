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

__all__ = ["OURS", "PAGE", "PEER", "at_equal_error", "committed", "measure", "ours", "page", "summary"]

Float = npt.NDArray[np.float64]
HERE = Path(__file__).parent
TABLE = HERE / "translation.tsv"
PAGE = HERE.parents[1] / "docs" / "evidence" / "translation.md"
OURS, PEER = "translation_efficiency", "PyDESeq2"
LEVEL, LEAST_POWER = 0.05, 0.9


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
        "q_of_changed": np.nan_to_num(q[true], nan=1.0), "q_of_unchanged": np.nan_to_num(q[~true], nan=1.0),
    }  # fmt: skip


def measure(
    of: Setting, repetitions: int, seed: int = 0, peer: str | None = None, kept: Path | None = None, theirs: int = 20
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


def at_equal_error(rows: pd.DataFrame) -> tuple[float, float]:
    """Return mean power of a test, and its cut-off of q, where the mean false discovery proportion is the level.

    The cut-off is chosen with the truth at hand, one for all experiments: the largest whose mean share of wrong genes
    is at most the level.
    """
    best = 0.0, 0.0
    for cut in np.geomspace(1e-6, 0.5, 400):
        hits = np.array([(q <= cut).sum() for q in rows["q_of_changed"]])
        wrong = np.array([(q <= cut).sum() for q in rows["q_of_unchanged"]])
        if (wrong / np.maximum(hits + wrong, 1)).mean() <= LEVEL:
            power = hits / [len(q) for q in rows["q_of_changed"]]
            best = float(power.mean()), float(cut)
    return best


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return false discovery rate and power per setting and test with Monte-Carlo errors, beside the peer's.

    `of_peer` is the ratio of mean powers as the tests come, `of_peer_at_equal_error` that at the cut-offs of q where
    both are wrong as often as the level says, each on the experiments that the peer has.
    """
    out = []
    for (setting, _), part in rows.groupby(["setting", "test"], sort=False):
        n = len(part)
        row = part.iloc[0][["setting", "n", "dispersion", "shared", "test"]].to_dict() | {"repetitions": n}
        for column in ("fdp", "power"):
            row[column] = part[column].mean()
            row[f"{column}_mc_error"] = part[column].std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
        row["null_below_5"] = part["null_below_5"].mean()
        row["fdr_holds"] = _verdict(row["fdp"] <= LEVEL + 2 * row["fdp_mc_error"])
        theirs = rows[(rows["setting"] == setting) & (rows["test"] == PEER)]
        same = part[part["repetition"].isin(theirs["repetition"])]
        row |= _beside(same, theirs) if len(theirs) else {}
        out.append(row)
    return pd.DataFrame(out)


def _beside(same: pd.DataFrame, theirs: pd.DataFrame) -> dict[str, object]:
    """Return the power of a test beside the peer's, as they come and at equal error."""
    mine, cut = at_equal_error(same)
    other, _ = at_equal_error(theirs)
    # Ratios of means of few genes say nothing: without a gene found by the peer there is none.
    equal = mine / other if other > 0 else np.nan
    raw = same["power"].mean() / theirs["power"].mean()
    row = {"of_peer": raw, "q_at_equal_error": cut, "power_at_equal_error": mine, "of_peer_at_equal_error": equal}
    if same["test"].iloc[0] == OURS:
        row["power_holds"] = _verdict(raw >= LEAST_POWER)
        row["power_holds_at_equal_error"] = "none found" if np.isnan(equal) else _verdict(equal >= LEAST_POWER)
    return row


def _verdict(holds: bool) -> str:
    return "yes" if holds else "no"


def committed() -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the table as it is on file, and its header."""
    lines = [line[2:] for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
    return pd.read_csv(TABLE, sep="\t", comment="#"), dict(line.split(": ", 1) for line in lines)


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

- `fdp`: mean share of wrong genes among those found. `fdr_holds`: it is at most 5% and two Monte-Carlo errors.
- `power`: share of changed genes that are found. `null_below_5`: share of unchanged genes with p of at most 5%.
- **As they come**: `of_peer` is the power as a share of PyDESeq2's on the same experiments, both at q of at most 5%,
  whatever their errors. `power_holds`: at least 0.9. A test that is wrong more often than it says finds more, so that
  this is a fair yardstick only where `fdr_holds` of PyDESeq2 is yes.
- **At equal error**: `power_at_equal_error` is the power at the cut-off of q (`q_at_equal_error`, chosen with the truth
  at hand) where the mean share of wrong genes on the experiments of PyDESeq2 is 5%; `of_peer_at_equal_error` its share
  of PyDESeq2's. `power_holds_at_equal_error`: at least 0.9.

{chr(10).join(lines)}

{verdicts(table)}

The prior of a gene's variance follows its counting noise, as in limma's trend; both assays inform on one factor per
gene; what they share within a sample, which is less where counts are few, is taken off. The change is measured from the
genes that do not change, since 60 genes that fall together take the median of ratios with them. q is weighted by the
error that is expected at a gene's counting noise. The share of unchanged genes is not estimated (Storey): when that was
tried, three replicates had a false discovery rate above 5% and two Monte-Carlo errors. PyDESeq2 refers to the normal
distribution; here it is t, with the degrees of freedom that the scatter of the genes allows. Where samples differ in
what both assays share, PyDESeq2's interaction counts it as noise.

{chr(10).join(f"- {k}: {v}" for k, v in header.items())}
"""


def verdicts(table: pd.DataFrame) -> str:
    """Return in words where the bounds hold and where not."""
    mine, theirs = (table[table["test"] == t].set_index("setting") for t in (OURS, PEER))
    lines = [_listed("The false discovery rate is not held", mine.index[mine["fdr_holds"] == "no"])]
    if len(theirs):
        below = mine[mine["power_holds"] == "no"]
        lines.append(_listed("As they come, power is below 0.9 of PyDESeq2's", below.index))
        lines += [
            f"There (*{name}*) {row['of_peer']:.2f} of its power are found, with {theirs['fdp'][name]:.1%} "
            f"(Monte-Carlo error {theirs['fdp_mc_error'][name]:.1%}) of PyDESeq2's genes wrong; at equal error "
            + ("PyDESeq2 finds none." if np.isnan(row["of_peer_at_equal_error"]) else
               f"{row['of_peer_at_equal_error']:.2f} of its power are found.")
            for name, row in below.iterrows()
        ]  # fmt: skip
        lines.append(
            _listed("PyDESeq2 does not hold the false discovery rate", theirs.index[theirs["fdr_holds"] == "no"])
        )
        lines.append(
            _listed(
                "At equal error, power is below 0.9 of PyDESeq2's",
                mine.index[mine["power_holds_at_equal_error"] == "no"],
            )
        )
    return "\n".join(f"- {line}" for line in lines)


def _listed(what: str, names: pd.Index) -> str:
    return (
        f"{what} in {len(names)} setting{'' if len(names) == 1 else 's'}{': ' if len(names) else ''}{'; '.join(names)}."
    )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Level and power of the change of translation efficiency.")
    parser.add_argument("repetitions", type=int, nargs="?", default=100)
    parser.add_argument("--peer", help="interpreter with pydeseq2")
    parser.add_argument("--theirs", type=int, default=20, help="experiments per setting that the peer has")
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
    TABLE.write_text(
        text + table.to_csv(sep="\t", index=False, float_format="%.4f", lineterminator="\n"), encoding="utf-8"
    )
    PAGE.write_text(page(*committed()), encoding="utf-8")
    print(table.to_string())


if __name__ == "__main__":
    main()
