"""The registry as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtorscore.tl import registry

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["methods"]


def methods() -> pd.DataFrame:
    """Return one row per scoring method with what it assumes.

    Returns
    -------
    pandas.DataFrame
        Index: the name. Columns: title, whether it is cohort-dependent, signed and weighted, input scale wanted,
        whether sparse input is exact, where p-values come from, range, formula, parameters, reference and citation.
    """
    import pandas as pd

    rows = [
        {
            "name": spec.name,
            "title": spec.title,
            "cohort_dependent": spec.cohort_dependent,
            "cohort_options": ", ".join(spec.cohort_options),
            "signed": spec.signed,
            "weighted": spec.weighted,
            "input_scale": spec.input_scale,
            "sparse_exact": spec.sparse_exact,
            "pvalues": spec.null,
            "range": spec.range,
            "formula": spec.formula,
            "params": ", ".join(f"{p.name}={p.default!r}" for p in spec.params),
            "reference": spec.reference,
            "citation": spec.citation,
        }
        for spec in registry.specs()
    ]
    return pd.DataFrame(rows).set_index("name")
