"""Small outcomes with a known truth, independent of the package's own simulator."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd


def survival_table(
    risk: npt.NDArray[np.float64], rng: np.random.Generator, *, events: float = 0.4, decimals: int | None = None
) -> pd.DataFrame:
    """Exponential times with log hazard `risk`, uniform censoring tuned to the share of events."""
    n = len(risk)
    time = rng.exponential(1000 * np.exp(-risk))
    low, high = 1.0, 1e7
    for _ in range(60):
        limit = np.sqrt(low * high)
        if (time < np.linspace(0.05, 1, n) * limit).mean() < events:
            low = limit
        else:
            high = limit
    censor = rng.permutation(np.linspace(0.05, 1, n)) * limit
    seen = np.minimum(time, censor)
    if decimals is not None:
        seen = np.round(seen, decimals) + 1
    index = [f"P{i:04d}" for i in range(n)]
    return pd.DataFrame({"time": seen, "event": (time <= censor).astype(int)}, index=index)


def correlated(n: int, p: int, rho: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw normal columns that share one factor: pairwise correlation `rho`."""
    shared = rng.normal(size=(n, 1))
    out: npt.NDArray[np.float64] = np.sqrt(rho) * shared + np.sqrt(1 - rho) * rng.normal(size=(n, p))
    return out
