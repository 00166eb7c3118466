"""Files that mtorscore 0.1.0 wrote keep their meaning, with a warning of what they do not say, or are refused.

The files were written by commit bfcb502: models of a survival endpoint beside age and sex, of one beside an ordered
stage, and of a label in words without a named positive class; scores in an h5ad file, and a reference.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from mtorscore.errors import DataError, DataWarning
from mtorscore.prognosis import Endpoint, FittedModel, associate, load_model, validate

FILES = Path(__file__).parent / "written_by_0_1_0"
IDS = [f"old{i:03d}" for i in range(5)]
SCORES = pd.DataFrame(
    {"a": [0.126, -0.132, 0.64, 0.105, -0.536], "b": [0.788, 0.844, 0.076, -1.427, -0.135]}, index=IDS
)
CLINICAL = pd.DataFrame(
    {
        "age": [68.0, 70.0, 59.0, 45.0, 74.0],
        "sex": ["male", "female", "female", "male", "female"],
        "stage": ["II", "II", "III", "I", "III"],
    },
    index=IDS,
)
# What 0.1.0 itself predicted.
SURVIVAL = [0.23157565371154168, 0.09425885688187675, 0.34138815312348464, -0.3420999329272911, -0.21743643604386162]
LABEL = [0.25594686893932184, -0.14128324935719522, 0.580343204812826, -0.5561445234364375, -1.0083534907693235]


def old(name: str) -> FittedModel:
    with pytest.warns(DataWarning, match=rf"Model {name} was written by mtorscore 0\.1\.0 and does not say: horizon"):
        return load_model(FILES / f"{name}-0.1.0.mtorscore")


def test_numbers_and_categories_predict_as_they_did(tmp_path: Path) -> None:
    model = old("survival")
    assert_allclose(model.linear_predictor(SCORES, CLINICAL), SURVIVAL, rtol=1e-12)
    assert model.horizon == pytest.approx(np.median(model.times))
    again = load_model(model.save(tmp_path / "again.mtorscore"))
    assert_allclose(again.linear_predictor(SCORES, CLINICAL), SURVIVAL, rtol=1e-12)


def test_ordered_levels_are_refused_with_how_to_make_the_model_anew() -> None:
    """0.1.0 kept no levels: which code a level had is not known."""
    model = old("ordered")
    ordered = CLINICAL.assign(stage=pd.Categorical(CLINICAL["stage"], ["I", "II", "III"], ordered=True))
    with pytest.raises(DataError, match=r"did not keep the levels of column 'stage'.*\(I, II, III\).*Fit"):
        model.predict(SCORES, ordered)
    with pytest.raises(DataError, match="'stage' holds numbers and 5 value"):
        model.predict(SCORES, CLINICAL)


def test_the_positive_class_of_a_label_in_words_is_the_one_that_it_had() -> None:
    model = old("label")
    assert_allclose(model.linear_predictor(SCORES, CLINICAL), LABEL, rtol=1e-12)
    assert model.endpoint.positive == "normal"
    assert "Positive class: normal (against HCC)" in model.card
    outcome = CLINICAL.assign(dx=["normal", "HCC", "normal", "HCC", "HCC"])
    assert set(validate(model, SCORES, outcome, n_boot=0).summary["positive"]) == {"normal"}


def test_scores_and_references_are_read() -> None:
    anndata = pytest.importorskip("anndata")
    from mtorscore.tl import Reference

    adata = anndata.read_h5ad(FILES / "scored-0.1.0.h5ad")
    adata.obs["time"], adata.obs["event"] = np.arange(1.0, 21), np.tile([1, 1, 1, 0], 5)
    table = associate(adata, None, Endpoint.survival("time", "event"), method="zscore", negative_controls=(), n_boot=0)
    assert table["valid"].all()
    reference = Reference.load(FILES / "zscore-0.1.0.reference.npz")
    assert reference.method == "zscore"
    assert len(reference.digest) == 16
