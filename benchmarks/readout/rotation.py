"""The package's set tests (`mtorscore.tl.analysis.linear.set_statistics`), as this benchmark calls them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from mtorscore.tl.analysis.linear import set_statistics
from mtorscore.tl.analysis.linear.set_statistics import camera_from_z

__all__ = ["camera_from_z", "gene_effects", "rotation_test"]

Float = npt.NDArray[np.float64]


def gene_effects(y: Float, treated: npt.NDArray[np.bool_], block: npt.NDArray[np.generic]) -> Float:
    """Return the effects of ``y ~ block + treated``: first row the contrast, the others residual."""
    codes = np.unique(block, return_inverse=True)[1]
    return set_statistics.gene_effects(y, np.column_stack([np.eye(codes.max() + 1)[codes], treated.astype(float)]))


def rotation_test(effects: Float, sets: Float, n: int = 1999, seed: int = 0) -> dict[str, Float]:
    """Rotate weighted means of moderated t, that of all genes subtracted; beside it CAMERA with each set's correlation.

    Returns
    -------
    dict
        Per set: ``statistic``, ``p`` (rotation), ``p_competitive`` (CAMERA) and ``rho``.
    """
    tests = set_statistics.gene_tests(effects)
    rotated = set_statistics.rotation_test(tests, sets, n=n, seed=seed, centred=True, normal=False)
    degrees = float(np.minimum(tests.moderated.prior_degrees, 1e6)) + tests.degrees
    z = stats.norm.isf(stats.t.sf(tests.t, degrees).clip(1e-300, 1 - 1e-16))
    rho = set_statistics.residual_correlation(effects, sets)
    return {
        "statistic": rotated.statistic,
        "p": rotated.p,
        "p_competitive": camera_from_z(z, sets, rho)[1],
        "rho": rho,
    }
