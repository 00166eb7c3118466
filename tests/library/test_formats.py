"""Formats of signatures: lossless where the format allows, and a word on what it cannot hold."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import gseapy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mtorscore as mt
from mtorscore.collection import Signature, SignatureCollection
from mtorscore.errors import DataWarning, FormatError, IgnoredWarning, SignatureError

_GENES = st.lists(
    st.from_regex(r"[A-Z][A-Z0-9]{1,6}(-[A-Z0-9]{1,3})?", fullmatch=True), min_size=2, max_size=12, unique=True
)


@st.composite
def collections(draw: st.DrawFn, *, signed: bool = True, weighted: bool = False) -> SignatureCollection:
    names = draw(st.lists(st.from_regex(r"[A-Z][A-Z0-9]{2,8}", fullmatch=True), min_size=1, max_size=4, unique=True))
    entries = []
    for name in names:
        genes = draw(_GENES)
        cut = draw(st.integers(1, len(genes))) if signed else len(genes)
        weights = {g: draw(st.floats(1e-6, 1e6)) for g in genes} if weighted else {}
        weights = {g: w for g, w in weights.items() if w != 1}
        entries.append(Signature(id=f"{name}.V1", up=tuple(genes[:cut]), down=tuple(genes[cut:]), weights=weights))
    return SignatureCollection(entries)


def _lists(collection: SignatureCollection) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    return [(s.id, s.up, s.down) for s in collection.signatures]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(collection=collections())
@pytest.mark.parametrize("ending", ["gmt", "gmx", "json"])
def test_signed_lists_survive_split_and_join(tmp_path: Path, ending: str, collection: SignatureCollection) -> None:
    path = collection.write(tmp_path / f"x.{ending}")
    assert _lists(SignatureCollection.read(path, join_up_down=True)) == _lists(collection)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(collection=collections(weighted=True))
@pytest.mark.parametrize("ending", ["tsv", "csv", "yaml"])
def test_weights_survive(tmp_path: Path, ending: str, collection: SignatureCollection) -> None:
    back = SignatureCollection.read(collection.write(tmp_path / f"x.{ending}"))
    assert [s.signed_weights() for s in back.signatures] == [s.signed_weights() for s in collection.signatures]
    assert back.hash == collection.hash


def test_yaml_keeps_everything_of_the_library(tmp_path: Path) -> None:
    library = mt.library(experimental=True)
    assert SignatureCollection.read(library.write(tmp_path / "one.yaml")) == library
    folder = SignatureCollection.read(library.write(tmp_path / "folder"))
    assert {e.id: e for e in folder} == {e.id: e for e in library}


@pytest.mark.parametrize("ending", ["gmt", "gmx", "json", "tsv", "csv"])
def test_library_round_trips_through_every_table(tmp_path: Path, ending: str) -> None:
    library = mt.library()
    with pytest.warns(IgnoredWarning, match="cannot hold") as caught:
        path = library.write(tmp_path / f"x.{ending}")
    assert len(caught) == 1
    assert ("weights" in str(caught[0].message)) == (ending not in {"tsv", "csv"})
    back = SignatureCollection.read(path, join_up_down=ending not in {"tsv", "csv"})
    assert _lists(back) == _lists(library)


def test_grp_holds_one_part(tmp_path: Path) -> None:
    one = SignatureCollection([Signature(id="X", title="an x", up=("G1", "G2"))])
    path = one.write(tmp_path / "X.grp")
    assert path.read_text() == "# an x\nG1\nG2\n"
    assert _lists(SignatureCollection.read(path)) == _lists(one)
    with pytest.raises(SignatureError, match="one gene set, not 2"):
        SignatureCollection([Signature(id="X", up=("G1",), down=("G2",))]).write(tmp_path / "X.grp")


def test_json_has_the_fields_of_msigdb(tmp_path: Path) -> None:
    path = mt.library().select(["HALLMARK_HYPOXIA"]).write(tmp_path / "x.json")
    record = json.loads(path.read_text())["HALLMARK_HYPOXIA"]
    assert len(record["geneSymbols"]) == len(mt.library()["HALLMARK_HYPOXIA"].genes)
    assert set(record) >= {"collection", "systematicName", "pmid", "exactSource", "geneSymbols"}


def test_gseapy_reads_the_library_as_gmt(tmp_path: Path) -> None:
    plain = mt.library().select(branch="confounder", kind="signature")
    path = plain.write(tmp_path / "x.gmt")
    expected: dict[str, list[str]] = {}
    for s in plain.signatures:
        expected |= {f"{s.id}_UP": list(s.up), f"{s.id}_DN": list(s.down)} if s.is_signed else {s.id: list(s.up)}
    assert gseapy.parser.read_gmt(str(path)) == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.gmt", "", "holds no gene set"),
        ("x.gmt", "A\tna\tG1\nB\tna\n", "line 2: A GMT line"),
        ("x.gmt", "A\tna\tG1\nA\tna\tG2\n", "line 2: The set A is duplicated \\(first in line 1\\)"),
        ("x.gmt", "A\tna\t\t\n", "line 1: The set A holds no gene"),
        ("x.gmx", "A\tB\nna\tna\n", "A GMX file has"),
        ("x.gmx", "A\tA\nna\tna\nG1\tG2\n", "column 2: The set A is duplicated"),
        ("x.gmx", "A\tB\nna\tna\nG1\t\n", "column 2: The set B holds no gene"),
        ("x.gmx", "A\t\nna\tna\nG1\tG2\n", "genes but no name"),
        ("x.grp", "# only\n", "holds no gene"),
        ("x.grp", "G1 G2\n", "one gene a line"),
        ("x.json", "{", "not valid JSON"),
        ("x.json", "[1]", "object of set name"),
        ("x.json", '{"A": {"genes": []}}', "no list `geneSymbols`"),
        ("x.json", '{"A": {"geneSymbols": ["G"]}, "A": {"geneSymbols": ["G"]}}', "A is duplicated"),
        ("x.tsv", "from\tto\n", "must hold source, target"),
        ("x.tsv", "source\ttarget\tweight\nA\tG1\t0\n", "line 2: A row needs"),
        ("x.tsv", "source\ttarget\tweight\nA\tG1\t1\nA\tG1\t1\n", "line 3: G1 is duplicated"),
        ("x.tsv", "source\ttarget\tweight\nA\tG1\n", "2 fields where"),
        ("x.xyz", "A", "read and written as"),
    ],
)
def test_bad_files_are_named_with_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(FormatError, match=message):
        SignatureCollection.read(path)


def test_missing_file_and_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        SignatureCollection.read(tmp_path / "no.gmt")
    with pytest.raises(FormatError, match="holds no YAML"):
        SignatureCollection.read(tmp_path)


def test_repeats_and_clashes_are_reported_once(tmp_path: Path) -> None:
    path = tmp_path / "x.gmt"
    path.write_bytes(b"\xef\xbb\xbfA_UP\tna\tG1\tG1\tG2\r\nB\tna\tG3\tG3\t\t\r\n")
    with pytest.warns(DataWarning, match="2 set\\(s\\) repeat genes") as caught:
        back = SignatureCollection.read(path)
    assert len(caught) == 1
    assert _lists(back) == [("A_UP", ("G1", "G2"), ()), ("B", ("G3",), ())]
    path.write_text("A_UP\tna\tG1\tG2\nA_DOWN\tna\tG2\tG3\n")
    with pytest.warns(DataWarning, match="both directions"):
        back = SignatureCollection.read(path, join_up_down=True)
    assert _lists(back) == [("A", ("G1",), ("G3",))]


def test_a_pair_is_joined_only_where_that_is_safe(tmp_path: Path) -> None:
    path = tmp_path / "x.gmt"
    path.write_text("A_UP\tna\tG1\nA\tna\tG2\nA_DN\tna\tG3\nB_UP\tna\tG4\n")
    with pytest.warns(DataWarning, match="1 pair\\(s\\) were not joined \\(A: a set of that name is there"):
        assert SignatureCollection.read(path, join_up_down=True).names == ["A_UP", "A", "A_DN", "B_UP"]
    with pytest.raises(SignatureError, match="would both be written as A_UP"):
        SignatureCollection([Signature(id="A", up=("G1",), down=("G2",)), Signature(id="A_UP", up=("G3",))]).write(
            tmp_path / "y.gmt"
        )


def test_interrupted_write_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="no gene list"):
        SignatureCollection([]).write(tmp_path / "x.gmt")
    assert not list(tmp_path.iterdir())


def _read(path: Path, text: str | bytes, **options: bool) -> SignatureCollection:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return SignatureCollection.read(path, **options)


def test_files_that_spreadsheets_and_editors_mangle_lose_nothing(tmp_path: Path) -> None:
    """A blank row of descriptions, characters that only Python takes for line ends, quotes, byte-order mark, gzip."""
    blank = _read(tmp_path / "x.gmx", "A\tB\n\t\nG1\tG2\nG3\t\n\t\n")
    assert _lists(blank) == [("A", ("G1", "G3"), ()), ("B", ("G2",), ())]
    odd = _read(tmp_path / "x.gmt", "A\tone\u2028two\x0bthree\tG1\rB\tna\t G2\u200b \t\r\n")
    assert [(s.id, s.title, s.genes) for s in odd] == [("A", "one two three", ("G1",)), ("B", "", ("G2",))]
    with pytest.warns(DataWarning, match="quotes around 2 gene"):
        assert _lists(_read(tmp_path / "q.gmt", '"A"\t"x"\t"G1"\t"G2"\n')) == [("A", ("G1", "G2"), ())]
    with pytest.warns(DataWarning, match="hold a comma"):
        _read(tmp_path / "c.gmt", "A\tna\tG1,G2\n")
    assert _lists(_read(tmp_path / "x.gmt.gz", gzip.compress(b"A\tna\tG1\n"))) == [("A", ("G1",), ())]
    assert _lists(_read(tmp_path / "m.tsv", "source\ttarget\tmor\nA\tG1\t-1\n")) == [("A", (), ("G1",))]
    assert _lists(_read(tmp_path / "p.json", '{"A": ["G1", " G2 "]}')) == [("A", ("G1", "G2"), ())]
    bad: list[tuple[str, str | bytes, str]] = [
        ("x.gmt", "A\tna\tG1\n".encode("utf-16"), "UTF-8"),
        ("x.gmt", b"A\tna\tG\x001\n", "line 1: .*zero bytes"),
        ("x.json", '{"A": {"geneSymbols": [7, null]}}', "not a gene symbol \\(7, None\\)"),
        ("x.grp", "G1\nG2 G3\n", "line 2"),
    ]
    for name, content, message in bad:
        with pytest.raises(FormatError, match=message):
            _read(tmp_path / name, content)


def test_joining_never_drops_a_list(tmp_path: Path) -> None:
    text = "O_UP\tna\tG1\nO_DN\tna\tG2\nO_DOWN\tna\tG3\nE_UP\tna\tG1\nE_DN\tna\tG1\nM_Up\tna\tG1\nM_Down\tna\tG2\n"
    with pytest.warns(DataWarning, match="2 pair\\(s\\) were not joined") as caught:
        back = _read(tmp_path / "x.gmt", text, join_up_down=True)
    assert len(caught) == 1
    assert back.names == ["O_UP", "O_DN", "O_DOWN", "E_UP", "E_DN", "M"]


def test_names_that_a_format_cannot_hold_are_refused(tmp_path: Path) -> None:
    awkward = SignatureCollection([Signature(id="A, b/c", up=("G1",), weights={"G1": 2.5})])
    assert SignatureCollection.read(awkward.write(tmp_path / "x.csv")).hash == awkward.hash
    with pytest.raises(SignatureError, match="cannot name a file"):
        awkward.write(tmp_path / "folder")
    for ending in ("gmt", "gmx", "tsv", "json", "grp"):
        with pytest.raises(SignatureError, match="hold a tab"):
            SignatureCollection([Signature(id="A\tB", up=("G1",))]).write(tmp_path / f"y.{ending}")
    with pytest.warns(IgnoredWarning, match="X is all down genes"):
        SignatureCollection([Signature(id="X", down=("G1",))]).write(tmp_path / "x.gmt")
