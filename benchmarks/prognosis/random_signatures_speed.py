"""How long 10,000 random signatures take, against a loop over lifelines.

Run as ``python benchmarks/prognosis/random_signatures_speed.py [MATRIX]``: MATRIX is anything that ``mtorscore.read``
takes with 156 or more tumours (such as TCGA-LIHC); without one, a simulated matrix of the same size is used. Outcomes
are simulated, since only time is measured.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import pandas as pd

from mtorscore import tl
from mtorscore.collection import Signature, SignatureCollection
from mtorscore.prognosis import Endpoint, associate
from mtorscore.prognosis.statistics import cox
from mtorscore.prognosis.statistics.risk_sets import RiskSets

N, GENES, SETS, LOOP = 156, 20_000, 10_000, 100


def matrix() -> pd.DataFrame:
    """Return observations x genes on log scale."""
    if len(sys.argv) > 1:
        import mtorscore as mt

        adata = mt.read(sys.argv[1])
        values = adata.X.toarray() if hasattr(adata.X, "toarray") else np.asarray(adata.X)
        names = [str(g).split(".")[0] for g in adata.var_names]
        frame = pd.DataFrame(np.log2(values[:N] + 1), columns=names).loc[:, lambda t: ~t.columns.duplicated()]
        return frame.loc[:, frame.mean() > 0.1]
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(rng.normal(5, 2, GENES), 1, (N, GENES)), columns=[f"G{i}" for i in range(GENES)])


def main() -> None:
    """Print seconds per step."""
    x = matrix()
    rng = np.random.default_rng(1)
    clinical = pd.DataFrame({"time": rng.exponential(900, len(x)), "event": rng.random(len(x)) < 0.35}, index=x.index)
    sets = SignatureCollection([Signature(id="S", up=tuple(x.columns[100:140]), down=tuple(x.columns[300:310]))])
    weights = np.zeros((x.shape[1], 1))
    weights[100:140], weights[300:310] = 1, -1
    values = x.to_numpy()
    # Compilation is paid once per installation, not per run.
    list(tl.random_scores(values[:, :500], weights[:500], 10, method="singscore", bins=10))

    scoring, fitting = [], []
    for _ in range(3):
        start, used = time.perf_counter(), time.process_time()
        _, scores = next(iter(tl.random_scores(values, weights, SETS, method="singscore", bins=10, seed=0)))
        scoring.append((time.perf_counter() - start, time.process_time() - used))
        start, used = time.perf_counter(), time.process_time()
        risk = RiskSets(clinical["time"].to_numpy(), clinical["event"].to_numpy())
        z = (scores - scores.mean(axis=0)) / scores.std(axis=0)
        fits = cox.newton(risk, z[:, None, :])
        fitting.append((time.perf_counter() - start, time.process_time() - used))
    print(f"{len(x)} observations, {x.shape[1]} genes, {SETS} random signatures of 50 genes; best of 3, wall (CPU)")
    print(f"scores {show(min(scoring))}, batched Newton {show(min(fitting))}")

    from lifelines import CoxPHFitter

    start = time.perf_counter()
    frame = clinical.astype(float)
    gap = 0.0
    for k in range(LOOP):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = CoxPHFitter().fit(frame.assign(z=z[:, k]), "time", "event")
        gap = max(gap, abs(float(fit.params_["z"]) - float(fits.coef[0, k])))
    each = (time.perf_counter() - start) / LOOP
    print(f"lifelines: {each * 1000:.1f} ms per fit, {each * SETS:.0f} s for all; largest difference {gap:.1e}")

    adata = pd.DataFrame(scores[:, :1], columns=["S"], index=x.index)
    for controls, n in (((), 0), (("random", "proliferation", "purity"), 1000), (("random",), SETS)):
        taken = []
        for _ in range(3):
            start, used = time.perf_counter(), time.process_time()
            associate(
                adata, clinical, Endpoint.survival("time", "event"), expression=x, signatures=sets, method="singscore",
                negative_controls=controls, n_random=n,
            )  # fmt: skip
            taken.append((time.perf_counter() - start, time.process_time() - used))
        print(f"associate, negative controls {', '.join(controls) or 'off'}, {n} random signatures: {show(min(taken))}")


def show(taken: tuple[float, float]) -> str:
    """Return wall and CPU seconds as text."""
    return f"{taken[0]:.2f} s ({taken[1]:.2f})"


if __name__ == "__main__":
    main()
