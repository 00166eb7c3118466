"""A saved reference is looked at before compiled code reads it: what was learned loads, what was altered does not."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import mtorscore as mt
from mtorscore import SignatureScorer
from mtorscore.collection import Composite, Signature, SignatureCollection
from mtorscore.errors import FormatError
from mtorscore.tl import Reference
from mtorscore.tl.scoring import score_cohort
from tests.tl.specs import COHORT, LEARNING, SPECS, learning_options

GENES = [f"g{i}" for i in range(60)]
SIGNATURES = SignatureCollection(
    [
        Signature(id="A", up=(*GENES[:10], "absent"), weights={"g1": 2.5}),
        Signature(id="B", up=tuple(GENES[5:15]), down=("g40", "g41")),
    ]
)
LEARNED: list[tuple[str, dict[str, Any]]] = [
    # Each choice of each parameter of what learns, and some that go together or learn nothing.
    *((method, learning_options(method)) for method in LEARNING),
    *(
        (method, learning_options(method) | {param.name: choice})
        for method in LEARNING
        for param in SPECS[method].params
        for choice in param.choices
        if choice != param.default
    ),
    ("module_score", {"flavour": "scanpy", "controls": "sampled"}),
    ("singscore", {}), ("singscore", {"stable_genes": ["g3", "g50", "g7"]}),
]  # fmt: skip


def matrix(seed: int = 0) -> pd.DataFrame:
    """Draw counts with a gene that is constant, one that is absent, and zeros."""
    x = np.random.default_rng(seed).poisson(6, (25, 60)).astype(float)
    x[:, 30], x[:, 31], x[::3, 32:40] = 4.0, 0.0, 0.0
    return pd.DataFrame(x, [f"S{i}" for i in range(25)], GENES)


def fitted(method: str, params: dict[str, Any], x: pd.DataFrame) -> SignatureScorer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SignatureScorer(SIGNATURES, method=method, params=params).fit(x)


@pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(("method", "params"), LEARNED)
def test_what_was_learned_is_read_back(method: str, params: dict[str, Any], missing: bool, tmp_path: Path) -> None:
    x = matrix()
    if missing:
        x.iloc[[2, 5], [3, 50]] = np.nan
    scorer = fitted(method, params, x)
    stored = Reference.load(scorer.reference_.save(tmp_path / "r.npz"))
    again = SignatureScorer.from_reference(stored)
    assert_allclose(again.transform(matrix(1)), scorer.transform(matrix(1)))


def altered(value: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """Arrays that do not fit: of other shapes, of other kinds, with indices and values out of range."""
    out = [np.zeros(0), np.zeros(3), np.array(1.0), np.zeros((2, 2)), np.array(["x"] * len(value))]
    if value.size:
        out += [np.full_like(value, 10**8), value[:-1]]
    return out


@pytest.mark.parametrize("method", LEARNING)
def test_what_was_altered_is_refused_even_with_a_checksum(method: str, tmp_path: Path) -> None:
    reference = fitted(method, learning_options(method), matrix()).reference_
    for name, value in reference.state.items():
        for number, other in enumerate(altered(value)):
            # A number of the right shape that is only wrong cannot be told from a right one; an index can.
            if number == 5 and value.dtype.kind == "f":
                continue
            if other.shape == value.shape and other.dtype == value.dtype and (other == value).all():
                continue
            path = replace(reference, state={**reference.state, name: other}).save(tmp_path / "r.npz")
            with pytest.raises(FormatError):
                Reference.load(path)
        short = {k: v for k, v in reference.state.items() if k != name}
        if method in COHORT:
            with pytest.raises(FormatError):
                Reference.load(replace(reference, state=short).save(tmp_path / "r.npz"))


@pytest.mark.parametrize(
    "change",
    [
        {"method": "nope"}, {"genes": (1, 2)}, {"signatures": {"A": {"g0": "x"}}}, {"n_obs": -1},
        {"score_mean": np.zeros(7)}, {"params": {"zeros": 5}}, {"genes": GENES[:5]},
    ],
)  # fmt: skip
def test_a_header_that_says_something_else_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    reference = fitted("zscore", {}, matrix()).reference_
    with pytest.raises(FormatError):
        Reference.load(replace(reference, **change).save(tmp_path / "r.npz"))


def test_composites_are_standardised_by_chosen_observations() -> None:
    """`standardised_by` and a cohort scored with `standardise_by` give the same reference."""
    rng = np.random.default_rng(0)
    adata = ad.AnnData(rng.gamma(2, 2, (30, 20)), var=pd.DataFrame(index=[f"G{i}" for i in range(20)]))
    sets = mt.SignatureCollection(
        [
            mt.Signature(id="A", branch="s6k", up=("G0", "G1", "G2")),
            mt.Signature(id="B", branch="srebp1", up=("G5", "G6", "G7")),
            Composite(id="C", branch="mtorc1", parts={"A": 1.0, "B": -1.0}),
        ]
    )
    rows = np.arange(30) < 12
    scorer = mt.SignatureScorer(sets, "zscore").fit(adata)
    chosen = scorer.reference_.standardised_by(scorer.transform(adata)[rows])
    found = score_cohort(adata, sets, method="zscore", standardise_by=rows)["zscore"]
    np.testing.assert_allclose(chosen.score_mean, found.score_mean, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(chosen.score_sd, found.score_sd, rtol=1e-12)
    scores = mt.tl.score(adata, sets, method="zscore", reference=chosen, copy=True).obsm["score_zscore"]
    np.testing.assert_allclose(scores["C"], adata.obsm["score_zscore"]["C"], rtol=1e-9, atol=1e-12)
