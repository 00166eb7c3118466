"""Figures against pictures that were looked at; MTORSCORE_UPDATE_IMAGES=1 draws them anew, to be looked at again."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtorscore import pl
from mtorscore.pl import theme
from tests.conftest import compare_only_with_locked
from tests.pl.figures import EXAMPLES

BASELINE = Path(__file__).parent / "baseline"
TOLERANCE = 6.0
"""Root mean square over a picture's pixels, of 255: text moves by a pixel between versions; a lost mark is more."""


def draw(name: str) -> Image.Image:
    buffer = io.BytesIO()
    figure = EXAMPLES[name]()
    with theme.style():
        figure.savefig(buffer, format="png", dpi=80, facecolor="white")
    return Image.open(buffer).convert("RGB")


def distance(a: Image.Image, b: Image.Image) -> float:
    """Root mean square after blurring by four pixels, so that a glyph's place matters less than a mark's."""
    small = [
        np.asarray(i.resize((max(a.width // 4, 1), max(a.height // 4, 1)), Image.Resampling.BOX), float) for i in (a, b)
    ]
    return float(np.sqrt(((small[0] - small[1]) ** 2).mean()))


@pytest.fixture(autouse=True)
def bundled_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw with the font that comes with matplotlib, the same on every machine."""
    monkeypatch.setattr(theme, "_fonts", lambda: ["DejaVu Sans"])


@pytest.mark.parametrize("name", EXAMPLES)
def test_looks_as_it_did(name: str) -> None:
    drawn = draw(name)
    compare_only_with_locked("matplotlib")
    path = BASELINE / f"{name}.png"
    if os.environ.get("MTORSCORE_UPDATE_IMAGES"):
        path.parent.mkdir(exist_ok=True)
        drawn.quantize(64).save(path, optimize=True)
    expected = Image.open(path).convert("RGB")
    assert abs(drawn.width - expected.width) <= 8
    assert abs(drawn.height - expected.height) <= 8
    assert distance(drawn, expected.resize(drawn.size)) < TOLERANCE


def test_the_comparison_sees_a_missing_mark() -> None:
    figure = draw("km")
    spoiled = figure.copy()
    spoiled.paste((255, 255, 255), (60, 20, 200, 120))
    assert distance(figure, spoiled) > TOLERANCE


def test_every_public_figure_has_a_picture() -> None:
    assert set(EXAMPLES) == set(dir(pl)) - {"save", "style"}
