"""Type-I error and power of `tl.contrast` and `tl.set_test` beside limma.

Usage: python -m benchmarks.contrast.run [REPETITIONS] [--no-r]
Writes benchmarks/contrast/tables/type_one.tsv, power.tsv and docs/evidence/contrast.md. R with limma is needed, unless
--no-r leaves its columns empty.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from math import comb
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from benchmarks.contrast.simulate import DESIGNS, N_GENES, N_SETS, SIZE, Experiment, experiments, set_matrix
from mtorscore import __version__
from mtorscore.tl.analysis.linear.blocks import block_correlations, consensus, mixed_model
from mtorscore.tl.analysis.linear.fits import correlated, fit, hc3, independent, paired, welch
from mtorscore.tl.analysis.linear.moderation import moderate, two_sided
from mtorscore.tl.analysis.linear.permutations import permute_column
from mtorscore.tl.analysis.linear.set_permutation import permute_sets
from mtorscore.tl.analysis.linear.set_statistics import camera, gene_effects, gene_tests, rotation_test

__all__ = ["measure", "page", "verdicts"]

Float = npt.NDArray[np.float64]

HERE = Path(__file__).parent
TABLES = HERE / "tables"
PAGE = HERE.parents[1] / "docs" / "evidence" / "contrast.md"
SIZES = (3, 5, 10, 20)
POWER_SIZES = (3, 10)
LEVEL = 0.05
DRAWS = 199
# limma's p-values are ours to rounding, so that so many repetitions show whether the rates are the same.
R_REPETITIONS = 1000
CONTRAST, SELF, COMPETITIVE = "contrast", "self-contained", "competitive"
# What is shown to keep its level, with the null hypothesis that it tests.
CLAIMED = {"contrast, moderated", "contrast, t", "contrast, mixed model", "rotation"}
LIMMA = {
    "contrast, moderated": 0, "contrast, consensus correlation": 0, "camera, preset": 1, "camera, estimated": 2,
    "rotation": 3,
}  # fmt: skip


def measure(
    of: Experiment, repetitions: int, seed: int = 0, shift: float = 0.0, *, with_r: bool = True
) -> pd.DataFrame:
    """Return rejections at 5% per test, ours and limma's, over all sets (type I) or over the moved one (power)."""
    with tempfile.TemporaryDirectory() as folder:
        scores, per_set = _tests(of, repetitions, seed, shift, Path(folder))
        found = _contrasts(of, scores) | per_set
        theirs = _limma(of, repetitions, Path(folder), roast=shift > 0) if with_r else None
    rows = []
    for test, p in found.items():
        used = p[:, :1] if shift else p
        rejected = (used <= LEVEL * (1 + 1e-9)).mean(axis=1)
        row = {"design": of.design, "n": of.n, "test": test, "repetitions": repetitions, "rate": rejected.mean()}
        row["mc_error"] = rejected.std(ddof=1) / np.sqrt(repetitions)
        if theirs is not None and test in LIMMA:
            limma = theirs[:, LIMMA[test]]
            if np.isfinite(limma).all():
                limma = limma[:, :1] if shift else limma
                # R repeats the first repetitions alone; both rates are of these.
                same = used[: len(limma)]
                row["limma"], row["ours_there"] = float((limma <= LEVEL).mean()), float((same <= LEVEL).mean())
                row["limma_repetitions"], row["most_apart"] = len(limma), float(np.abs(limma - same).max())
        rows.append(row)
    return pd.DataFrame(rows)


def _tests(of: Experiment, repetitions: int, seed: int, shift: float, folder: Path) -> tuple[Float, dict[str, Float]]:
    """Run the tests on genes, write the data for R; return scores (samples x repetitions x sets) and p-values."""
    sets = set_matrix()
    x, nuisance = of.treated.astype(float), _nuisance(of)
    design = np.column_stack([independent(nuisance), x])
    strata = of.donor if of.design == "pairs" else np.zeros(len(x), dtype=np.int64)
    names = ["camera, preset", "camera, estimated", "rotation", "permutation of genes", "naive rank test"]
    p = {name: np.empty((repetitions, N_SETS)) for name in names}
    scores = np.empty((len(x), repetitions, N_SETS))
    with (folder / "data.bin").open("wb") as out:
        for r, y in enumerate(experiments(of, repetitions, seed, shift)):
            out.write(y.astype(np.float32).tobytes())
            scores[:, r] = y @ sets
            if of.design == "donors":
                continue
            tests = gene_tests(gene_effects(y, design))
            p["camera, preset"][r] = camera(tests, sets).p
            p["camera, estimated"][r] = camera(tests, sets, None).p
            p["rotation"][r] = rotation_test(tests, sets, n=DRAWS, seed=r).p
            p["permutation of genes"][r] = permute_sets(
                y, x, nuisance, strata, tests, sets, exact=True, most=DRAWS, seed=r
            )[0].p
            p["naive rank test"][r] = _naive(tests.t, sets)
    pd.DataFrame({"donor": of.donor, "treated": x}).to_csv(folder / "samples.tsv", sep="\t", index=False)
    return scores, {} if of.design == "donors" else p


def _nuisance(of: Experiment) -> Float:
    one = np.ones((len(of.treated), 1))
    if of.design != "pairs":
        return one
    return np.column_stack([one, (of.donor[:, None] == np.arange(1, of.n)).astype(float)])


def _naive(t: Float, sets: Float) -> Float:
    """Rank sums of the genes of a set among all, as if genes were independent."""
    ranks = stats.rankdata(t)
    inside = sets > 0
    m = inside.sum(axis=0)
    z = (ranks @ inside - m * (N_GENES + 1) / 2) / np.sqrt(m * (N_GENES - m) * (N_GENES + 1) / 12)
    p: Float = 2 * stats.norm.sf(np.abs(z))
    return p


def _contrasts(of: Experiment, scores: Float) -> dict[str, Float]:
    """Return p of the scores' contrasts, (repetitions x sets) each; repetitions are responses of one model."""
    n, repetitions, n_sets = scores.shape
    y = scores.reshape(n, -1)
    x, nuisance = of.treated.astype(float), _nuisance(of)

    def shaped(p: Float) -> Float:
        return p.reshape(repetitions, n_sets)

    fitted = fit(y, x, nuisance)
    if fitted is None:
        raise RuntimeError("the design is not estimable")
    plain = two_sided(fitted.effect / fitted.error, fitted.degrees)
    if of.design == "donors":
        mixed = mixed_model(y, x, nuisance, of.donor)
        naive = stats.mannwhitneyu(y[of.treated], y[~of.treated], method="asymptotic").pvalue
        return {
            "contrast, mixed model": shaped(two_sided(mixed.effect / mixed.error, mixed.degrees)),
            "contrast, consensus correlation": _consensus(of, y, x, nuisance, repetitions),
            "t test, donors ignored": shaped(plain),
            "naive rank test": shaped(naive),
        }
    robust = paired(fitted) if of.design == "pairs" else welch(y, of.treated)
    effect, variance = shaped(fitted.effect), shaped(fitted.variance)
    moderated = np.stack(
        [_moderated(e, v, fitted.unscaled, fitted.degrees) for e, v in zip(effect, variance, strict=True)]
    )
    strata = of.donor if of.design == "pairs" else np.zeros(n, dtype=np.int64)
    permuted = np.concatenate(
        [permute_column(y[:, i : i + 1200], x, nuisance, strata, DRAWS, i)[0] for i in range(0, y.shape[1], 1200)]
    )
    out = {
        "contrast, moderated": moderated, "contrast, t": shaped(plain), "contrast, robust": shaped(robust.p),
        "permutation": shaped(permuted),
    }  # fmt: skip
    if of.design == "groups":
        out["contrast, HC3"] = shaped(hc3(fitted, nuisance).p)
    return out


def _moderated(effect: Float, variance: Float, unscaled: float, degrees: int) -> Float:
    found = moderate(variance, degrees)
    return two_sided(effect / (np.sqrt(found.variance) * unscaled), found.degrees)


def _consensus(of: Experiment, y: Float, x: Float, nuisance: Float, repetitions: int) -> Float:
    rho = block_correlations(y, np.column_stack([nuisance, x]), of.donor).reshape(repetitions, -1)
    out = np.empty_like(rho)
    for r in range(repetitions):
        common = consensus(rho[r])
        part = y[:, r * N_SETS : (r + 1) * N_SETS]
        white = correlated(np.column_stack([part, nuisance, x]), of.donor, common)
        fitted = fit(white[:, :N_SETS], white[:, -1], white[:, N_SETS:-1])
        if fitted is not None:
            out[r] = _moderated(fitted.effect, fitted.variance, fitted.unscaled, fitted.degrees)
    return out


def _limma(of: Experiment, repetitions: int, folder: Path, *, roast: bool) -> Float:
    """Return limma's p-values: repetitions x kind x sets."""
    # Consensus correlations and roast take R long.
    repetitions = min(repetitions, R_REPETITIONS if of.design != "donors" and not roast else R_REPETITIONS // 5)
    arguments = [repetitions, len(of.treated), N_GENES, N_SETS, SIZE, of.design, of.n, int(roast)]
    command = ["Rscript", str(HERE / "limma.R"), str(folder), *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)
    return np.fromfile(folder / "p.bin").reshape(repetitions, 4, N_SETS)


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Add what is asked of each test of a type-I table, and whether it holds (within 2 Monte-Carlo errors)."""
    found = [_verdict(row) for _, row in table.iterrows()]
    least = [_least_p(r) if r["test"].startswith("permutation") else np.nan for _, r in table.iterrows()]
    said = ["" if ok is None else "yes" if ok else "no" for _, ok in found]
    return table.assign(least_p=least, asked=[asked for asked, _ in found], holds=said)


def _verdict(row: pd.Series) -> tuple[str, bool | None]:
    test, rate, error = row["test"], row["rate"], 2 * row["mc_error"]
    if test in CLAIMED:
        return "5% +- 1 point", bool(abs(rate - LEVEL) <= 0.01 + error)
    if test.startswith("camera") or "consensus" in test:
        return "limma's rate", bool(abs(row["ours_there"] - row["limma"]) <= error)
    if test.startswith("permutation"):
        return "at most 6%", bool(rate <= 0.06)
    if test == "naive rank test" or "donors ignored" in test:
        return "fails (above 6%)", bool(rate > 0.06)
    return "", None


def _least_p(row: pd.Series) -> float:
    arrangements = 2 ** row["n"] if row["design"] == "pairs" else comb(2 * row["n"], row["n"])
    return 2 / arrangements if arrangements <= DRAWS else 1 / (DRAWS + 1)


def _markdown(table: pd.DataFrame, columns: Sequence[str]) -> str:
    lines = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    for _, row in table.iterrows():
        cells = ["" if pd.isna(v) else f"{v:.4g}" if isinstance(v, float) else str(v) for v in row[list(columns)]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


_SHOWN = (
    "design", "n", "test", "rate", "mc_error", "ours_there", "limma", "most_apart", "least_p", "asked", "holds",
)  # fmt: skip


def page(type_one: pd.DataFrame, power: pd.DataFrame) -> str:
    """Return the manual's page."""
    claimed = type_one[type_one["asked"].fillna("") != ""]
    held = int((claimed["holds"] == "yes").sum())
    repetitions = int(type_one["repetitions"].max())
    return f"""# Level and power of contrasts and set tests

Written by `python -m benchmarks.contrast.run {repetitions}`; no figure is typed by hand. Simulated experiments of
{N_GENES} genes in {N_SETS} sets of {SIZE}: genes of a set correlate (0.3), gene variances differ. *groups*: n against n
samples; *pairs*: n donors with a sample of both groups each, and donor effects as large as the residual; *donors*: n
against n donors with two samples each. Scores are means of sets. `mc_error` is the Monte-Carlo standard error, by
repetition; a verdict allows two of them.

Two null hypotheses stand behind the tests. Contrasts of scores, rotation and permutation are **self-contained**: the
genes of the set do not move. CAMERA and the naive rank test of genes are **competitive**: the genes of the set move no
more than the other genes. Nothing moves here, so both hold. CAMERA with the preset correlation 0.01 does not keep 5%
where genes correlate by 0.3: that is its known price, and limma's rate is the same. Permutation can show no p below
`least_p`; where that is above 5% it never rejects. Of donors sampled twice, the naive rank test compares samples as if
each were a donor; the consensus correlation is limma's, and somewhat above 5% with three donors in a group.

{held} of {len(claimed)} verdicts are as asked.

## Type-I error at 5%

{_markdown(type_one, _SHOWN)}

`limma` is the rate of limma's own p-values on the first {R_REPETITIONS} repetitions (fewer where R
takes long; `limma_repetitions` of the file says how many), `ours_there` ours on the same,
`most_apart` the largest difference between two p-values. `contrast, robust` is Welch's test, or the paired test.

## Power

The genes of one set move by 0.6 (mean residual SD of a gene: about 1.1).

{_markdown(power, ["design", "n", "test", "rate", "mc_error", "limma"])}
"""


def _write(table: pd.DataFrame, name: str, command: str) -> None:
    head = f"# {command}; {date.today().isoformat()}; mtorscore {__version__}\n"
    TABLES.mkdir(exist_ok=True)
    (TABLES / name).write_text(head + table.to_csv(sep="\t", index=False, float_format="%.6g"), encoding="utf-8")


def main(argv: Sequence[str]) -> None:
    """Measure everything and write tables and page."""
    numbers = [a for a in argv if a.isdigit()]
    repetitions, with_r = int(numbers[0]) if numbers else 5000, "--no-r" not in argv
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    command = f"python -m benchmarks.contrast.run {' '.join(argv)}".strip() + f"; commit {commit.stdout.strip()}"
    settings = [Experiment(d, n) for d in DESIGNS for n in SIZES]
    parts, power = [], []
    for of in settings:
        parts.append(measure(of, repetitions, with_r=with_r))
        print(parts[-1].to_string(), flush=True)
        if of.n in POWER_SIZES:
            power.append(measure(of, max(repetitions // 5, 1), seed=1, shift=0.6, with_r=with_r))
    _write(verdicts(pd.concat(parts, ignore_index=True)), "type_one.tsv", command)
    _write(pd.concat(power, ignore_index=True), "power.tsv", command)
    tables = [pd.read_csv(TABLES / f"{n}.tsv", sep="\t", comment="#") for n in ("type_one", "power")]
    PAGE.write_text(page(*tables), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
