"""Signatures and collections: construction, selection, resolution, hashes, set algebra, symbols."""

from __future__ import annotations

import hashlib
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mtorscore as mt
from mtorscore.collection import Composite, Panel, Ratio, Signature, SignatureCollection, as_collection
from mtorscore.collection.entries import signature_from
from mtorscore.errors import DataWarning, SignatureError


@pytest.fixture
def abc() -> SignatureCollection:
    return SignatureCollection(
        [
            Signature(id="A", branch="srebp1", up=("G1", "G2", "G3"), down=("G4",), evidence={"G1": "read"}),
            Signature(id="B", branch="srebp2", up=("G2", "G3", "G5"), weights={"G2": 2.0}),
            Signature(id="C", branch="mtorc1", up=("G4",), down=("G1",), experimental=True),
            Ratio(id="R", level="component", numerator=("G1",), denominator=("G2",)),
            Panel(id="P", level="component", members={"G1": 1, "G9": -1}),
            Composite(id="S", level="composite", parts={"A": 1.0, "B": -1.0}),
        ]
    )


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"id": ""}, "empty id"),
        ({"id": "X", "up": "G1"}, "give a list"),
        ({"id": "X", "up": ("G1", "G1")}, "are duplicated"),
        ({"id": "X", "up": ("G1",), "down": ("G1",)}, "both directions"),
        ({"id": "X", "up": ("G1",), "weights": {"G2": 1.0}}, "does not hold"),
        ({"id": "X", "up": ("G1",), "weights": {"G1": -1.0}}, "finite and positive"),
        ({"id": "X", "up": ("G1",), "weights": {"G1": float("nan")}}, "finite and positive"),
    ],
)
def test_signature_refuses(kwargs: dict[str, object], message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        Signature(**kwargs)  # type: ignore[arg-type]


def test_select_by_each_condition(abc: SignatureCollection) -> None:
    assert abc.select(branch="srebp1").names == ["A"]
    assert abc.select(kind=("ratio", "panel")).names == ["R", "P"]
    assert abc.select(experimental=True).names == ["C"]
    assert abc.select(level="composite").names == ["S"]
    assert abc.select(["B", "A"]).names == ["B", "A"]
    assert abc.select(evidence="read").names == []
    only = SignatureCollection([Signature(id="E", up=("G1",), evidence={"G1": "read"}, cancers=("HCC",))])
    assert only.select(evidence=("read", "cross-checked")).names == ["E"]
    assert only.select(evidence="recalled").names == []
    assert only.select(cancer="HCC").names == ["E"]
    assert only.select(cancer="CCA").names == []
    with pytest.raises(SignatureError, match="Unknown branch: srebp9"):
        abc.select(branch="srebp9")
    with pytest.raises(SignatureError, match="Unknown evidence: seen"):
        abc.select(evidence="seen")
    with pytest.raises(SignatureError, match="No signature is called 'a'"):
        abc["a"]


def test_resolve_positions_and_coverage(abc: SignatureCollection) -> None:
    resolved = abc.resolve(["G5", "G4", "G3", "G2", "X"])
    assert resolved.names == ("A", "B", "C")
    np.testing.assert_array_equal(resolved.indptr, [0, 3, 6, 7])
    np.testing.assert_array_equal(resolved.indices, [1, 2, 3, 0, 2, 3, 1])
    np.testing.assert_array_equal(resolved.weights, [-1, 1, 1, 1, 1, 2, 1])
    assert resolved.missing == (("G1",), (), ("G1",))
    table = resolved.coverage()
    assert table["matched_up"] == [2, 3, 1]
    assert table["matched_down"] == [1, 0, 0]
    assert table["coverage"] == [0.75, 1.0, 0.5]
    with pytest.raises(SignatureError, match="duplicated in the matrix \\(G2\\)"):
        abc.resolve(["G2", "G2"])
    assert abc.resolve(["X", "X", "G1"]).n_vars == 3


def test_hash_ignores_order_and_prose_only() -> None:
    first = Signature(id="A", title="x", up=("G1", "G2"), down=("G3",))
    assert first.hash == Signature(id="A", title="y", up=("G2", "G1"), down=("G3",), caveat="c").hash
    assert first.hash != Signature(id="A", up=("G1", "G2", "G3")).hash
    assert first.hash != Signature(id="A", up=("G1", "G2"), down=("G3",), weights={"G1": 2.0}).hash
    one, two = Signature(id="A", up=("G1",)), Signature(id="B", up=("G1",))
    assert SignatureCollection([one, two]).hash == SignatureCollection([two, one]).hash


@pytest.mark.parametrize("strange", ["", 'a"b', "a\\b", "é", "a\n", '":1.0,"'])
def test_hash_of_a_collection_is_made_of_the_hashes_of_its_entries(abc: SignatureCollection, strange: str) -> None:
    plain = {f"S {i}": [f"G{j}" for j in range(i, 2 * i)] for i in range(40)}
    made = as_collection(plain | {"odd" + strange: ["B", "A" + strange]}) | abc
    expected = hashlib.sha256("\n".join(sorted(e.hash for e in made)).encode()).hexdigest()[:16]
    assert made.hash == expected


@given(st.lists(st.dictionaries(st.sampled_from(list("ABCDEFGHIJ")), st.sampled_from([-2.0, -1.0, 1.0])), max_size=5))
def test_resolved_genes_are_those_of_a_lookup_by_hand(weights: list[dict[str, float]]) -> None:
    collection = as_collection({f"S{i}": w for i, w in enumerate(weights)})
    found = collection.resolve(list("GCAxyFz"))
    position = {g: i for i, g in enumerate("GCAxyFz")}
    for i, signed in enumerate(weights):
        a, b = found.indptr[i : i + 2]
        held = sorted((position[g], w) for g, w in signed.items() if g in position)
        assert list(zip(found.indices[a:b], found.weights[a:b], strict=True)) == held
        assert set(found.missing[i]) == set(signed) - set(position)
    assert found.n_up.tolist() == [sum(w > 0 for w in signed.values()) for signed in weights]


def test_genes_that_are_not_text_are_taken_as_text() -> None:
    numbers = as_collection({"S": [1, "1", 2], "T": np.array(["A", "B"]), "U": (g for g in "ABA")})
    assert [s.up for s in numbers.signatures] == [("1", "2"), ("A", "B"), ("A", "B")]
    assert {type(g) for s in numbers.signatures for g in s.up} == {str}


MANY_LISTS = {f"S {i}": [f"G{j}" for j in range(i % 7, 20 - i % 5)] for i in range(100)}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"empty": [], "tuple": ("A", "B")},
        {"twice": ["A", "B", "A"]},
        {"numbers": [1, 2]},
        {"mixed": ["A", 1]},
        {"none": ["A", None]},
        {"bytes": ["A", b"B"]},
        {"array": np.array(["A", "B"])},
        {"numpy text": [np.str_("A"), "B"]},
        {"signed": {"up": ["A"], "down": ["B"]}},
        {"weighted": {"A": 2.0, "B": -1.0}},
        {"signature": Signature(id="other", up=("A",), branch="mtorc1")},
    ],
    ids=lambda more: next(iter(more), "plain"),
)
def test_many_lists_at_once_are_what_they_are_one_by_one(more: dict[str, Any]) -> None:
    lists = MANY_LISTS | more
    found = as_collection(lists)
    one_by_one = SignatureCollection(signature_from(name, value) for name, value in lists.items())
    assert found == one_by_one
    assert repr(list(found)) == repr(list(one_by_one))
    assert found.hash == one_by_one.hash
    assert {type(g) for s in found.signatures for g in s.genes} == {str}
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301
    first, second = list(found)[:2]
    assert first.expected is not second.expected
    universe = ["G3", "A", "G9"]
    np.testing.assert_equal(found.resolve(universe).coverage(), one_by_one.resolve(universe).coverage())


@pytest.mark.parametrize("more", [{"": ["A"]}, {"text": "ABC"}, {"lone surrogate": ["\ud800"], "none": None}])
def test_many_lists_with_one_that_is_wrong_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(SignatureError):
        as_collection(MANY_LISTS | more)


def test_as_collection_takes_what_people_have(abc: SignatureCollection) -> None:
    assert as_collection(None) is mt.library()
    assert as_collection(abc) is abc
    made = as_collection({"X": ["G1", "G2", "G1"], "Y": {"up": ["G1"], "down": ["G2"]}, "Z": {"G1": 2, "G2": -0.5}})
    assert [(s.up, s.down, dict(s.weights)) for s in made.signatures] == [
        (("G1", "G2"), (), {}),
        (("G1",), ("G2",), {}),
        (("G1",), ("G2",), {"G1": 2.0, "G2": 0.5}),
    ]
    for bad in ({"X": "G1"}, {"X": {"G1": 0.0}}, {"X": {"G1": "a"}}, 3):
        with pytest.raises(SignatureError):
            as_collection(bad)  # type: ignore[arg-type]


def test_union_and_intersection(abc: SignatureCollection) -> None:
    both = abc.union(["A", "B"], id="U")
    assert (both.up, both.down, both.evidence) == (("G1", "G2", "G3", "G5"), ("G4",), {"G1": "read"})
    shared = abc.intersection(["A", "B"], id="I")
    assert (shared.up, shared.down) == (("G2", "G3"), ())
    with pytest.warns(DataWarning, match="2 gene\\(s\\) are up in one signature and down in another \\(G1, G4\\)"):
        clash = abc.union(["A", "C"], id="U")
    assert clash.genes == ("G2", "G3")
    with pytest.raises(SignatureError, match="share no gene"):
        abc.intersection(["B", "C"], id="I")


def test_minus_a_confounder(abc: SignatureCollection) -> None:
    left = abc.minus(Signature(id="Q", up=("G2", "G4")))
    assert left["A"].genes == ("G1", "G3")
    assert left["A"].remark == "Without 2 gene(s) of Q."
    assert left["B"].genes == ("G3", "G5")
    assert left["C"].genes == ("G1",)
    assert left["P"] is abc["P"]
    assert abc.select(["A", "B"]).minus("B").names == ["A", "B"]
    with pytest.raises(SignatureError, match="1 signature\\(s\\) hold no gene outside"):
        abc.minus(["G1", "G4"])
    library = mt.library().select(branch="mtorc1", kind="signature")
    cleaned = library.minus("META_PCNA")
    proliferation = set(mt.library()["META_PCNA"].genes)
    assert any(proliferation & set(e.genes) for e in library)
    assert not any(proliferation & set(e.genes) for e in cleaned)


def test_overlap_counts_and_warns_across_branches(abc: SignatureCollection) -> None:
    with pytest.warns(DataWarning, match="share more than 30% of the smaller one's genes"):
        table = abc.select(kind="signature").overlap()
    first = table.set_index(["first", "second"])
    assert first.loc[("A", "B"), "shared"] == 2
    assert first.loc[("A", "B"), "jaccard"] == 2 / 5
    assert first.loc[("A", "B"), "genes"] == "G2,G3"
    assert first.loc[("A", "C"), "opposed"] == 2
    assert first.loc[("B", "C"), "shared"] == 0
    quiet = abc.select(["B", "C"]).overlap()
    assert list(quiet["shared"]) == [0]
    assert list(abc.select(["B", "C"]).overlap(by="branch")["first"]) == ["srebp2"]
    with pytest.raises(SignatureError, match="by 'entry' or 'branch'"):
        abc.overlap(by="gene")


def test_rename_follows_hgnc_history_and_never_guesses() -> None:
    old = SignatureCollection(
        [
            Signature(
                id="S",
                up=("GATSL3", "C7orf60", "LARS", "MTOR"),
                down=("C12orf66", "NOT_A_GENE", "KICS2"),
                weights={"LARS": 2.0},
                evidence={"GATSL3": "read"},
            )
        ]
    )
    new, report = old.rename_genes()
    signature = new["S"]
    assert isinstance(signature, Signature)
    assert signature.up == ("CASTOR1", "BMT2", "LARS1", "MTOR")
    assert signature.down == ("KICS2", "NOT_A_GENE")
    assert signature.weights == {"LARS1": 2.0}
    assert signature.evidence == {"CASTOR1": "read"}
    statuses = dict(zip(report["symbol"], report["status"], strict=True))
    assert statuses == {
        "GATSL3": "renamed",
        "C7orf60": "renamed",
        "LARS": "renamed",
        "C12orf66": "renamed",
        "NOT_A_GENE": "unknown",
        "KICS2": "merged",
    }


def test_an_ambiguous_alias_is_reported() -> None:
    from mtorscore.genes.symbols import approved_symbols, current_symbol, old_symbols

    name, options = next((n, o) for n, o in sorted(old_symbols().items()) if len(o) > 1 and n not in approved_symbols())
    assert current_symbol(name) == options
    new, report = SignatureCollection([Signature(id="S", up=(name,))]).rename_genes()
    assert new["S"].genes == (name,)
    assert list(report["status"]) == ["ambiguous"]
    assert report["current"][0] == ",".join(options)


def test_translate_there_and_back() -> None:
    library = mt.library()
    mouse, lost = library.translate("mouse")
    entry = mouse["SREBP1_LIPOGENIC_CORE"]
    assert "Fasn" in entry.genes
    assert "Acaca" in entry.genes
    assert set(lost["status"]) <= {"renamed", "same", "lost", "merged"}
    n_genes = sum(len(e.genes) for e in library)
    assert len(lost) == n_genes
    assert (lost["status"] == "lost").mean() < 0.2
    back, report = mouse.translate("human")
    assert not (report["status"] == "lost").any()
    kept = [g for g in library["SREBP1_LIPOGENIC_CORE"].genes if g in set(back["SREBP1_LIPOGENIC_CORE"].genes)]
    assert list(back["SREBP1_LIPOGENIC_CORE"].genes) == kept
    with pytest.raises(SignatureError, match="not 'rat'"):
        library.translate("rat")


def test_leads_are_entries_of_their_branches() -> None:
    from mtorscore.collection import leads, library
    from mtorscore.collection.library_files import library_meta

    whole = library()
    for branch, ids in library_meta()["leads"].items():
        assert {whole[name].branch for name in ids} == {branch}
        assert {whole[name].kind for name in ids} == {"signature"}
    assert leads(["OWN", "META_PCNA", "RIBI_CORE", "CELL_CYCLE_G1S"]) == ["OWN", "RIBI_CORE", "META_PCNA"]
    assert leads(["META_PCNA", "RIBI_CORE"], confounders=False) == ["RIBI_CORE"]


_SETS = st.dictionaries(
    st.sampled_from(["A", "B", "C", "D"]),
    st.dictionaries(st.sampled_from([f"G{i}" for i in range(9)]), st.sampled_from([1.0, -1.0]), min_size=1),
    min_size=2,
)


@settings(max_examples=60, deadline=None)
@given(lists=_SETS)
def test_algebra_is_that_of_sets(lists: dict[str, dict[str, float]]) -> None:
    """Union, intersection, subtraction and overlap against plain Python sets of (gene, direction)."""
    collection = as_collection(lists)
    sets = {name: set(genes.items()) for name, genes in lists.items()}
    every = set().union(*sets.values())
    clash = {g for g, d in every if (g, -d) in every}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        union = collection.union(id="U")
        table = collection.overlap(share=1.0)
    assert set(union.signed_weights().items()) == {(g, d) for g, d in every if g not in clash}
    common = {(g, d) for g, d in set.intersection(*sets.values()) if g not in clash}
    if common:
        assert set(collection.intersection(id="I").signed_weights().items()) == common
    else:
        with pytest.raises(SignatureError, match="share no gene"):
            collection.intersection(id="I")
    for row in table.itertuples():
        a, b = set(lists[row.first]), set(lists[row.second])
        assert (row.shared, row.n_first, row.n_second) == (len(a & b), len(a), len(b))
        assert row.jaccard == len(a & b) / len(a | b)
        assert row.opposed == sum(lists[row.first][g] != lists[row.second][g] for g in a & b)
    assert len(table) == len(lists) * (len(lists) - 1) // 2
    matrix = collection.overlap_matrix(value="shared")
    assert [[len(set(lists[a]) & set(lists[b])) for b in lists] for a in lists] == matrix.to_numpy().tolist()
    assert np.allclose(np.diag(collection.overlap_matrix()), 1)
    first = next(iter(lists))
    survivors = {n: set(g) - set(lists[first]) for n, g in lists.items() if n != first}
    if all(survivors.values()):
        rest = collection.minus(first)
        assert {n: set(rest[n].genes) for n in survivors} == survivors
        assert rest[first] == collection[first]
        assert collection.minus(collection.select([first])).hash == rest.hash


def test_combining_keeps_sources_and_refuses_what_is_no_gene_list() -> None:
    library = mt.library()
    both = library.union(["SREBP1_LIPOGENIC_CORE", "SREBP2_CHOLESTEROL_CORE"], id="LIPID")
    assert set(both.gene_sources) == set(both.genes)
    assert both.sign == 1
    assert both.licence == "Gene names are facts; selection BSD-3-Clause"
    with pytest.raises(SignatureError, match="GATOR is a panel"):
        library.union(["SREBP1_LIPOGENIC_CORE", "GATOR"], id="X")
    with pytest.raises(SignatureError, match="Unknown cancer: BRCA"):
        library.select(cancer="BRCA")
    assert library.select("META_PCNA").names == ["META_PCNA"]


def test_collections_add_up() -> None:
    own = as_collection({"MINE": ["FASN"]})
    both = mt.library() | own
    assert both.names == [*mt.library().names, "MINE"]
    assert (both | own).names == both.names
    with pytest.raises(SignatureError, match="different content \\(MINE\\)"):
        both | as_collection({"MINE": ["SCD"]})
