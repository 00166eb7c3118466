"""Names and meanings of branches and levels, and which signature stands for a branch where only one is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from mtorscore.collection import CONFOUNDER, SignatureCollection
from mtorscore.collection import leads as library_leads

NAMES: dict[str, str] = {
    "mtorc1": "mTORC1", "s6k": "S6K and ribosome biogenesis", "eif4e": "eIF4E, 4E-BP and TOP", "srebp1": "SREBP-1",
    "srebp2": "SREBP-2", "mtorc2_akt": "mTORC2 and AKT", "pi3k": "PI3K", "pten": "PTEN", "tsc": "TSC",
    "ampk_lkb1": "AMPK and LKB1", "autophagy_tfeb": "Autophagy and TFEB", "hypoxia_vegf": "Hypoxia and VEGF",
    "survival_bcl2": "BCL2 family", "ras_mnk": "RAS, MAPK and MNK", "insulin_igf": "Insulin, IGF and EGF",
    "feedback": "Feedback", "pparg": "PPARγ", "mirna": "miRNA", "drug": "Drug classes", CONFOUNDER: "Confounders",
    "context": "Classes and comparators", "user": "Your signatures",
}  # fmt: skip

LEVELS: dict[str, str] = {
    "transcriptional": "a transcript readout: these genes change when the branch does",
    "translational": "only a proxy: these genes are controlled at translation, which RNA does not show",
    "component": "members of the pathway: their abundance, not its activity",
    "composite": "a weighted sum of other scores",
}

_MOST = 20


@dataclass(frozen=True)
class Described:
    """A signature as the report shows it."""

    id: str
    title: str
    branch: str
    level: str
    sign: int
    kind: str
    genes: int
    caveat: str
    confidence: str


def describe(names: Sequence[str], library: SignatureCollection | None) -> dict[str, Described]:
    """Look scored names up in the library.

    Parameters
    ----------
    names
        Columns of the score tables.
    library
        The collection that was scored; None where it is not known.

    Returns
    -------
    dict
        Name -> description, in the order of the library; names it does not hold come last, as the user's own.
    """
    known = [n for n in (library.names if library is not None else []) if n in set(names)]
    out: dict[str, Described] = {}
    for name in [*known, *(n for n in names if n not in set(known))]:
        if library is not None and name in library:
            e = library[name]
            out[name] = Described(
                name, e.title, e.branch, e.level, e.sign, e.kind, len(e.genes), e.caveat, e.confidence
            )  # fmt: skip
        else:
            out[name] = Described(name, "", "user", "", 0, "signature", 0, "", "")
    return out


def leads(described: dict[str, Described]) -> list[str]:
    """Return the signatures of the overview figures: a user's own (20 at most), one per branch, the confounders.

    Parameters
    ----------
    described
        As `describe` returns it.

    Returns
    -------
    list of str
        As `mtorscore.collection.leads` chooses; without any, the first 20 signatures.
    """
    chosen = library_leads(described)
    own = [n for n in chosen if described[n].branch == "user"]
    return own[:_MOST] + [n for n in chosen if n not in own] or list(described)[:_MOST]


def without_readout() -> dict[str, str]:
    """Return branch -> why no transcript score can read it, for the branches that have none."""
    from mtorscore.collection import files

    return {b: str(v["no_readout"]) for b, v in files.library_meta()["branches"].items() if "no_readout" in v}


def as_json(described: dict[str, Described], names: Iterable[str]) -> list[dict[str, object]]:
    """Return descriptions as plain types, for the interactive layer."""
    return [asdict(described[n]) for n in names]
