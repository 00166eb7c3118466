"""Type-I error and coverage of what is printed of competing risks, on cohorts simulated from Fine and Gray's model.

Run as ``python benchmarks/prognosis/competing.py [CLOSED] [RESAMPLED] [OUT.tsv] [PAGE.md]``: by default 10,000
repetitions for closed forms and 1,000 for resampled ones, into ``competing.tsv`` beside this file and
``docs/evidence/competing_risks.md``. Every combination of 60, 120 and 360 patients, about 10% and 40% events of
interest, and no effect or one of 0.4 per SD. The cumulative incidence is
``1 - (1 - p (1 - exp(-t))) ** exp(b x)``; the competing event comes at an exponential time that depends on the score as
well; censoring is uniform. `rates` is also what the small version in the tests calls.

A coverage passes from 93% on, a type-I error up to 6.5%; it fails beyond that by more than 2 Monte-Carlo errors, and is
"not shown" between, or with a Monte-Carlo error above 1.1 points. Cohorts below ten events come back not valid and are
counted apart; where they are more than half the setting is "not offered".
"""

from __future__ import annotations

import datetime
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from mtorscore._outcome_terms import MIN_EVENTS
from mtorscore._version import __version__
from mtorscore.prognosis.statistics import competing_metrics, fine_gray
from mtorscore.prognosis.statistics.incidence import incidence_at, incidences_at
from mtorscore.prognosis.statistics.inference import logit_interval, wald
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

SIZES, SHARES, EFFECTS = (60, 120, 360), (0.1, 0.4), (0.0, 0.4)
HORIZON, RESAMPLES = 0.7, 200
PLATEAU = {0.1: 0.17, 0.4: 0.62}
"""Share of event -> incidence of the event at the mean score, without censoring."""
CENSORED_BY = 4.0
PAGE = Path(__file__).parents[2] / "docs" / "evidence" / "competing_risks.md"


def risk_by(x: FloatArray, plateau: float, effect: float, at: float) -> FloatArray:
    """Cumulative incidence by a time."""
    out: FloatArray = 1 - (1 - plateau * (1 - np.exp(-at))) ** np.exp(effect * x)
    return out


def cohort(
    n: int, plateau: float, effect: float, rng: np.random.Generator, *, censored: bool = True
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Draw score, follow-up and status."""
    x = rng.normal(size=n)
    whole = risk_by(x, plateau, effect, np.inf)
    u = rng.random(n)
    own = u < whole
    kept = (1 - np.where(own, u, 0.0)) ** np.exp(-effect * x)
    time = np.where(own, -np.log1p(-(1 - kept) / plateau), rng.exponential(np.exp(-0.3 * x)))
    end = rng.uniform(0, CENSORED_BY, n) if censored else np.full(n, np.inf)
    status = np.where(time <= end, np.where(own, 1, 2), 0)
    return x, np.minimum(time, end), status


def truth(plateau: float, effect: float) -> dict[str, float]:
    """Return the estimands at the horizon, from a million patients without censoring."""
    x, time, status = cohort(1_000_000, plateau, effect, np.random.default_rng(0), censored=False)
    case, by = (status == 1) & (time <= HORIZON), time <= HORIZON
    out = {"incidence": float(risk_by(x, plateau, effect, HORIZON).mean())}
    rank = np.empty(len(x))
    for name, control in (("others", ~case), ("event-free", ~by)):
        kept = case | control
        rank[kept] = np.argsort(np.argsort(x[kept])) + 1.0
        k, m = int(case.sum()), int(control.sum())
        out[name] = float((rank[case].sum() - k * (k + 1) / 2) / (k * m))
    return out


def closed(
    x: FloatArray, time: FloatArray, status: IntArray, effect: float, known: dict[str, float]
) -> Iterator[tuple[str, float]]:
    """Yield name and hit of each closed form in one cohort."""
    sd = x.std(ddof=1)
    risk = fine_gray.SubdistributionSets(time, status)
    fit = fine_gray.fit(risk, ((x - x.mean()) / sd)[:, None, None])
    found = wald(fit, df=int((status == 1).sum()) - 1)
    if effect == 0:
        yield "type I: subdistribution hazard ratio", float(found.p[0] < 0.05)
        yield "type I: the same by the normal distribution (not used)", float(wald(fit).p[0] < 0.05)
    yield "coverage: subdistribution hazard ratio", float(found.low[0] <= effect * sd <= found.high[0])
    _, low, high = incidence_at(time, status, HORIZON)
    yield "coverage: cumulative incidence, log-log", float(low <= known["incidence"] <= high)


def resampled(
    x: FloatArray, time: FloatArray, status: IntArray, risk: FloatArray, known: dict[str, float],
    rng: np.random.Generator,
) -> Iterator[tuple[str, float]]:  # fmt: skip
    """Yield name and hit of each percentile interval of `validate` in one cohort, of the true model."""
    n = len(x)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)
    free = competing_metrics.Censoring.learned(time, status, time, np.array([HORIZON]))
    inverse = competing_metrics.known_by(time, status, HORIZON, free, 0)
    for controls in competing_metrics.CONTROLS:
        values = competing_metrics.incidence_auc(
            time, status, x, np.vstack([np.ones(n), weights]), inverse, HORIZON, controls
        )
        low, high = logit_interval(float(values[0]), values[1:])
        yield f"coverage: AUC at the horizon, controls {controls}", float(low <= known[controls] <= high)
    ratio = incidences_at(time, status, HORIZON, weights) / (weights @ risk / n)
    low, high = np.quantile(ratio, [0.025, 0.975])
    yield "coverage: observed / expected", float(low <= 1 <= high)


def rates(n: int, share: float, effect: float, repetitions: int, again: int, seed: int) -> pd.DataFrame:
    """Return the rates of one setting: statistic, repetitions, rate, not_valid.

    Parameters
    ----------
    n, share, effect
        Patients, share of events, effect per SD.
    repetitions, again
        Of closed forms and of resampled intervals.
    seed
        Of the cohorts.
    """
    plateau, rng = PLATEAU[share], np.random.default_rng(seed)
    known, few = truth(plateau, effect), 0
    hits: list[tuple[str, float]] = []
    for k in range(max(repetitions, again)):
        x, time, status = cohort(n, plateau, effect, rng)
        if (status == 1).sum() < MIN_EVENTS:
            few += 1
            continue
        if k < repetitions:
            hits += closed(x, time, status, effect, known)
        if k < again:
            hits += resampled(x, time, status, risk_by(x, plateau, effect, HORIZON), known, rng)
    table = pd.DataFrame(hits, columns=["statistic", "hit"]).groupby("statistic")["hit"].agg(["size", "mean"])
    table = table.reset_index().rename(columns={"size": "repetitions", "mean": "rate"})
    return table.assign(n=n, events=share, effect=effect, not_valid=few / max(repetitions, again))


def with_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Add Monte-Carlo error and verdict."""
    error = np.sqrt((table["rate"] * (1 - table["rate"])).clip(0.01) / table["repetitions"])
    type_one = table["statistic"].str.startswith("type I")
    beyond = np.where(type_one, table["rate"] - 0.065, 0.93 - table["rate"])
    verdict = np.where(beyond <= 0, "passes", np.where(beyond > 2 * error, "fails", "not shown"))
    verdict = np.where((error > 0.011) & (verdict != "fails"), "not shown", verdict)
    verdict = np.where(table["not_valid"] > 0.5, "not offered", verdict)
    verdict = np.where(table["statistic"].str.contains("not used"), "for comparison", verdict)
    out = table.assign(mc_error=error.round(4), verdict=verdict).round({"rate": 4, "not_valid": 4})
    return out[["n", "events", "effect", "statistic", "repetitions", "rate", "mc_error", "not_valid", "verdict"]]


TEXT = (
    "Cohorts simulated from the model of Fine and Gray, with uniform censoring; no figure is typed by hand. Test and "
    "interval of the subdistribution hazard ratio are by Student's t on one less than the events; the interval of the "
    "AUC is by 200 resamples on the logit scale, that of observed against expected by their percentiles, of the true "
    "model, as in `validate`. Passes: type-I error at most 6.5%, coverage at least 93%. Fails: beyond that by more "
    "than 2 Monte-Carlo errors. Cohorts below ten events are not valid, counted apart (`not_valid`); above half: "
    "not offered."
)


def page(head: str, table: pd.DataFrame) -> str:
    """Return the page of the manual."""
    counts = table["verdict"].value_counts()
    lines = [
        "# Type-I error and coverage with competing risks",
        "",
        f"`{head}`",
        "",
        TEXT,
        "",
        ", ".join(f"{n} {verdict}" for verdict, n in counts.items()) + ".",
        "",
        "| " + " | ".join(table.columns) + " |",
        "| " + " | ".join("---" for _ in table.columns) + " |",
    ]
    lines += ["| " + " | ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in row) + " |"
              for row in table.itertuples(index=False)]  # fmt: skip
    return "\n".join(lines) + "\n"


def main(repetitions: int, again: int, out: Path, shown: Path) -> None:
    """Write the table of all settings, after each of them."""
    settings = [(n, s, e) for n in SIZES for s in SHARES for e in EFFECTS]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    head = f"python benchmarks/prognosis/competing.py {repetitions} {again}; commit {commit.stdout.strip()}, "
    head += f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, mtorscore {__version__}"
    parts = []
    for k, (n, s, e) in enumerate(settings):
        parts.append(rates(n, s, e, repetitions, again, k))
        write(head, with_verdicts(pd.concat(parts, ignore_index=True)), out, shown)
        print(with_verdicts(parts[-1]).to_string(index=False, header=not k), flush=True)


def write(head: str, table: pd.DataFrame, out: Path, shown: Path) -> None:
    """Write the table and the page of the manual."""
    out.write_text(f"# {head}\n" + table.to_csv(sep="\t", index=False))
    shown.write_text(page(head, table))


if __name__ == "__main__":
    given = [
        *sys.argv[1:],
        *("10000", "1000", str(Path(__file__).with_name("competing.tsv")), str(PAGE))[len(sys.argv) - 1 :],
    ]
    main(int(given[0]), int(given[1]), Path(given[2]), Path(given[3]))
