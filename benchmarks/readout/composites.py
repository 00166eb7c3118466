"""Composites in the benchmark: their score is that of the library, their test that of the genes behind it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtorscore.collection import Composite, Signature, SignatureCollection

__all__ = ["add_composites", "flattened"]


def flattened(composite: Composite, collection: SignatureCollection) -> Signature:
    """Return a composite as one weighted signature: each part's genes share the part's weight.

    Parameters
    ----------
    composite
        A signed weighted sum over signatures of `collection`.
    collection
        Holds the parts.

    Returns
    -------
    Signature
        With the composite's id, branch, level, sign and expectations. A gene whose parts cancel is left out.
    """
    total: dict[str, float] = {}
    for name, weight in composite.parts.items():
        part = collection[name]
        if isinstance(part, Signature):
            signed = part.signed_weights()
            size = sum(map(abs, signed.values()))
            for gene, w in signed.items():
                total[gene] = total.get(gene, 0.0) + weight * w / size
    total = {g: w for g, w in total.items() if abs(w) > 1e-12}
    return Signature(
        id=composite.id,
        branch=composite.branch,
        level=composite.level,
        sign=composite.sign,
        expected=composite.expected,
        up=tuple(g for g, w in total.items() if w > 0),
        down=tuple(g for g, w in total.items() if w < 0),
        weights={g: abs(w) for g, w in total.items()},
    )


def add_composites(
    scores: pd.DataFrame, composites: Sequence[Composite], treated: np.ndarray, block: np.ndarray
) -> pd.DataFrame:
    """Return the scores with a column per composite: the signed sum of its parts, each in its own residual SDs.

    Parameters
    ----------
    scores
        Observations x signatures, all parts among them.
    composites
        To be added.
    treated, block
        Per observation; the SD of a part is what remains after both.

    Returns
    -------
    pandas.DataFrame
        The same rows.
    """
    codes = np.unique(block, return_inverse=True)[1]
    design = np.column_stack([np.eye(codes.max() + 1)[codes], treated.astype(float)])
    values = scores.to_numpy(dtype=np.float64)
    residual = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    spread = np.sqrt((residual**2).sum(axis=0) / (len(values) - np.linalg.matrix_rank(design)))
    standard = pd.DataFrame(values / np.where(spread > 0, spread, np.nan), index=scores.index, columns=scores.columns)
    sums = {c.id: sum(w * standard[name] for name, w in c.parts.items()) for c in composites}
    return pd.concat([scores, pd.DataFrame(sums, index=scores.index)], axis=1)
