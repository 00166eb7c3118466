"""What errors say."""

from __future__ import annotations

import pytest

from mtorscore.errors import nearest


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("HALLMARK_MTOR", ["HALLMARK_EMT", "HALLMARK_PI3K_AKT_MTOR", "HALLMARK_MTORC1_SIGNALING"], 2),
        ("UCEL", ["aucell", "ucell", "ulm"], 1),
        ("os.tme", ["OS.time", "OS"], 0),
    ],
)
def test_what_holds_the_name_or_is_spelled_alike_is_meant(name: str, known: list[str], meant: int) -> None:
    assert nearest(name, known)[0] == known[meant]


@pytest.mark.parametrize("name", ["", "zzz", 7])
def test_nothing_is_guessed_where_nothing_is_near(name: object) -> None:
    assert nearest(name, ["aucell", "ucell"]) == []
