"""Set tests that respect the correlation of genes: rotation (self-contained) and CAMERA (competitive)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from mtorscore.tl.analysis.linear.moderation import variance_prior

__all__ = ["camera_from_z", "gene_effects", "rotation_test"]

Float = npt.NDArray[np.float64]


def gene_effects(y: Float, treated: npt.NDArray[np.bool_], block: npt.NDArray[np.generic]) -> Float:
    """Return the effects of ``y ~ block + treated``: first row the contrast, the others residual.

    Parameters
    ----------
    y
        Observations x genes.
    treated, block
        Per observation.

    Returns
    -------
    ndarray
        ``(1 + residual degrees of freedom, n_genes)``; rows are orthonormal rotations of the data, and the first has
        the sign of the treated-minus-control difference.
    """
    codes = np.unique(block, return_inverse=True)[1]
    nuisance = np.eye(codes.max() + 1)[codes]
    design = np.column_stack([nuisance, treated.astype(float)])
    q, r = np.linalg.qr(design, mode="complete")
    p = design.shape[1]
    effects: Float = q.T[p - 1 :] @ y
    effects[0] *= np.sign(r[p - 1, p - 1])
    return effects


def rotation_test(effects: Float, sets: Float, n: int = 1999, seed: int = 0) -> dict[str, Float]:
    """Test sets of genes by rotating the effects (Langsrud 2005; ROAST of Wu et al., Bioinformatics 2010;26:2176).

    Parameters
    ----------
    effects
        From `gene_effects`.
    sets
        ``(n_genes, n_sets)`` signed weights, absolute column sums of 1.
    n
        Rotations.
    seed
        Of the rotations.

    Returns
    -------
    dict
        Per set: ``statistic`` (weighted mean moderated t, that of all genes subtracted), ``p`` (two-sided, rotation),
        ``p_competitive`` (CAMERA with the correlation of the set's own residuals, Wu and Smyth 2012) and ``rho``.
    """
    degrees = effects.shape[0] - 1
    total = (effects**2).sum(axis=0)
    residual = (effects[1:] ** 2).sum(axis=0) / degrees
    prior_variance, prior_degrees = variance_prior(residual, degrees)
    prior_degrees = min(prior_degrees, 1e6)

    def moderated(first: Float) -> Float:
        spread = (total - first**2).clip(min=0)
        out: Float = first / np.sqrt((prior_degrees * prior_variance + spread) / (prior_degrees + degrees))
        return out

    balance = sets.sum(axis=0)

    def statistic(t: Float) -> Float:
        out: Float = t @ sets - t.mean() * balance
        return out

    t = moderated(effects[0])
    observed = statistic(t)
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(n, degrees + 1))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    beyond = np.zeros(len(observed))
    for direction in directions:
        beyond += np.abs(statistic(moderated(direction @ effects))) >= np.abs(observed)
    unit = effects[1:] / np.sqrt((effects[1:] ** 2).sum(axis=0)).clip(min=1e-300)
    z = stats.norm.isf(stats.t.sf(t, prior_degrees + degrees).clip(1e-300, 1 - 1e-16))
    rho = np.array([_correlation(unit[:, w != 0] * np.sign(w[w != 0])) for w in sets.T])
    return {
        "statistic": observed,
        "p": (beyond + 1) / (n + 1),
        "p_competitive": camera_from_z(z, sets, rho)[1],
        "rho": rho,
    }


def camera_from_z(z: Float, sets: Float, rho: Float | float) -> tuple[Float, Float]:
    """Compare a set's mean z with that of all genes, its variance inflated by the correlation of genes.

    Parameters
    ----------
    z
        Per gene.
    sets
        ``(n_genes, n_sets)`` signed weights, absolute column sums of 1.
    rho
        Mean correlation of the genes of each set.

    Returns
    -------
    tuple of ndarray
        Standardised statistic and two-sided p, per set.
    """
    centred = z - z.mean()
    m = (sets != 0).sum(axis=0)
    inflation = 1 + (m - 1) * np.maximum(rho, 0)
    spread = centred.std() * np.sqrt((sets**2).sum(axis=0) * inflation)
    statistic: Float = centred @ sets / np.where(spread > 0, spread, np.nan)
    return statistic, 2 * stats.norm.sf(np.abs(statistic))


def _correlation(unit: Float) -> float:
    m = unit.shape[1]
    if m < 2:
        return 0.0
    inflation = float(m * (unit.mean(axis=1) ** 2).sum())
    return float((inflation - 1) / (m - 1))
