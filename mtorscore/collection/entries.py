"""The four kinds of entry that a collection holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache, cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from mtorscore.collection.grades import graded_in_words, grades_of
from mtorscore.errors import SignatureError, examples

__all__ = [
    "CANCERS",
    "CONFOUNDER",
    "ENTRY_CLASSES",
    "EVIDENCE",
    "USER_BRANCH",
    "Composite",
    "Entry",
    "Panel",
    "Ratio",
    "Signature",
    "Source",
    "by_id",
    "signature_from",
    "signed_signature",
]

CONFOUNDER = "confounder"
EVIDENCE: tuple[str, ...] = ("read", "cross-checked", "recalled")
USER_BRANCH = "user"
CANCERS: tuple[str, ...] = ("HCC", "CCA", "HB")


@dataclass(frozen=True)
class Source:
    """Where a gene list, or a claim about it, was read or checked.

    Parameters
    ----------
    name
        Title, set name or short citation.
    role
        ``"list"``: the genes were read there; ``"cross-check"``: membership was confirmed there;
        ``"rationale"``: the paper that motivates the entry, its table not read.
    pmid, doi, version, accession
        Identifiers, where there are any.
    """

    name: str
    role: str = "list"
    pmid: str | None = None
    doi: str | None = None
    version: str | None = None
    accession: str | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Base class of the entries of a collection.

    Parameters
    ----------
    id
        Unique name, such as ``"SREBP1_LIPOGENIC_CORE"``.
    title
        One line for people.
    branch
        One of `mtorscore.collection.BRANCHES`, or ``"user"`` for gene lists that a user brought.
    level
        What a transcript score can mean here, one of `mtorscore.collection.LEVELS`.
    sign
        +1 where the entry's value rises with mTOR activity, -1 where it falls, 0 where neither is claimed.
    """

    kind: ClassVar[str] = "entry"

    id: str
    title: str = ""
    branch: str = USER_BRANCH
    level: str = "transcriptional"
    sign: int = 0
    experimental: bool = False
    cancers: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    licence: str = ""
    expected: Mapping[str, str] = field(default_factory=dict)
    caveat: str = ""
    confidence: str = ""
    remark: str = ""
    seeds: tuple[str, ...] = ()
    added: str = ""
    changed: str = ""
    path: str = field(default="", compare=False)

    @property
    def genes(self) -> tuple[str, ...]:
        """Every gene symbol that the entry names, in its own order."""
        return ()

    def evidence_of(self, gene: str) -> str:
        """Return the evidence class of a gene, "" where none is stated."""
        evidence: Mapping[str, str] = getattr(self, "evidence", {})
        return evidence.get(gene, "")

    @property
    def evidence_counts(self) -> dict[str, int]:
        """Number of genes per evidence class."""
        labels = [self.evidence_of(g) for g in self.genes]
        return {label: labels.count(label) for label in EVIDENCE}

    @property
    def grades(self) -> dict[str, str]:
        """Context -> grade, by the evidence of the library; empty for an entry that it does not know."""
        return grades_of(self.id, self.hash)

    def graded(self, context: str | None = None) -> list[str]:
        """Return the grades as sentences with their numbers, such as ``"opposed in liver tumours (HCC): ..."``.

        Parameters
        ----------
        context
            One of ``"HCC"``, ``"CCA"``, ``"HB"``, ``"other tumours"``, ``"cell lines"``; all where None.
        """
        return graded_in_words(self.id, self.hash, context)

    def content(self) -> dict[str, Any]:
        """Return what determines the entry's value: the input of `hash`."""
        return {"id": self.id, "kind": self.kind}

    @cached_property
    def hash(self) -> str:
        """SHA-256 over `content`, the first 16 hexadecimal digits; independent of gene order and of prose."""
        text = json.dumps(self.content(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Signature(Entry):
    """A named, signed, optionally weighted gene list.

    Parameters
    ----------
    up, down
        Gene symbols that rise and fall with what the signature measures. Duplicates are refused.
    weights
        Positive magnitudes per gene; genes not named weigh 1. The sign comes from `up` and `down`.
    evidence
        Per gene one of `EVIDENCE`.
    gene_sources
        Per gene a short note on where it was read or checked.
    """

    kind: ClassVar[str] = "signature"

    up: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    evidence: Mapping[str, str] = field(default_factory=dict)
    gene_sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.id:
            raise SignatureError("A signature has an empty id; give it a name.")
        for direction in ("up", "down"):
            genes = getattr(self, direction)
            if isinstance(genes, str):
                raise SignatureError(f"{self.id}: `{direction}` is the text {genes!r}; give a list of gene symbols.")
            object.__setattr__(self, direction, _texts(genes))
        genes = self.genes
        if len(set(genes)) < len(genes):
            seen: set[str] = set()
            twice = [g for g in genes if g in seen or seen.add(g)]  # type: ignore[func-returns-value]
            raise SignatureError(
                f"{self.id}: {len(twice)} gene(s) are duplicated or in both directions ({examples(twice)}); keep one."
            )
        if not self.weights:
            return
        strange = list(set(self.weights).difference(genes))
        if strange:
            raise SignatureError(f"{self.id}: weights for genes that it does not hold ({examples(strange)}).")
        bad = [g for g, w in self.weights.items() if not (np.isfinite(w) and w > 0)]
        if bad:
            raise SignatureError(
                f"{self.id}: weights must be finite and positive ({examples(bad)}); put the gene under `down` instead."
            )

    @classmethod
    def unchecked(cls, id: str, up: tuple[str, ...]) -> Signature:  # noqa: A002
        """Return a plain gene list as a signature, unchecked: for thousands that were checked together."""
        made = object.__new__(cls)
        values, factories = _defaults()
        made.__dict__.update(values, id=id, up=up)
        for name, factory in factories:
            made.__dict__[name] = factory()
        return made

    @property
    def genes(self) -> tuple[str, ...]:
        """Up genes, then down genes."""
        return self.up + self.down

    @property
    def is_signed(self) -> bool:
        """Whether the signature has a down direction."""
        return bool(self.down)

    @property
    def is_weighted(self) -> bool:
        """Whether any two genes weigh differently."""
        return bool(self.weights) and len({self.weights.get(g, 1.0) for g in self.genes}) > 1

    def signed_weights(self) -> dict[str, float]:
        """Return gene -> weight, negative for down genes."""
        if not self.weights:
            return dict.fromkeys(self.up, 1.0) | dict.fromkeys(self.down, -1.0)
        return {g: self.weights.get(g, 1.0) for g in self.up} | {g: -self.weights.get(g, 1.0) for g in self.down}

    def weight_array(self) -> npt.NDArray[np.float64]:
        """Return signed weights beside `genes`."""
        if not self.weights:
            return np.repeat([1.0, -1.0], [len(self.up), len(self.down)])
        return np.fromiter(self.signed_weights().values(), dtype=np.float64)

    def content(self) -> dict[str, Any]:
        """Return id, kind and signed weights."""
        return super().content() | {"weights": dict(sorted(self.signed_weights().items()))}


@dataclass(frozen=True, kw_only=True)
class Ratio(Entry):
    """log2 of a numerator over a denominator, each the mean of its genes on linear scale."""

    kind: ClassVar[str] = "ratio"

    numerator: tuple[str, ...] = ()
    denominator: tuple[str, ...] = ()
    evidence: Mapping[str, str] = field(default_factory=dict)
    gene_sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def genes(self) -> tuple[str, ...]:
        """Numerator, then denominator."""
        return self.numerator + self.denominator

    def content(self) -> dict[str, Any]:
        """Return id, kind and terms."""
        return super().content() | {"numerator": sorted(self.numerator), "denominator": sorted(self.denominator)}


@dataclass(frozen=True, kw_only=True)
class Panel(Entry):
    """Genes to be shown as a table, each with its role (+1 drives, -1 brakes, 0 neither); never called activity."""

    kind: ClassVar[str] = "panel"

    members: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, str] = field(default_factory=dict)

    @property
    def genes(self) -> tuple[str, ...]:
        """The members."""
        return tuple(self.members)

    def content(self) -> dict[str, Any]:
        """Return id, kind and members."""
        return super().content() | {"members": dict(sorted(self.members.items()))}


@dataclass(frozen=True, kw_only=True)
class Composite(Entry):
    """Signed weighted sum over named entries, standardised by a frozen reference, never by the cohort at hand."""

    kind: ClassVar[str] = "composite"

    parts: Mapping[str, float] = field(default_factory=dict)

    def content(self) -> dict[str, Any]:
        """Return id, kind and parts."""
        return super().content() | {"parts": dict(sorted(self.parts.items()))}


ENTRY_CLASSES: dict[str, type[Entry]] = {c.kind: c for c in (Signature, Ratio, Panel, Composite)}


@cache
def _defaults() -> tuple[dict[str, Any], list[tuple[str, Callable[[], Any]]]]:
    """Return default values of a signature, and factories of the mutable ones."""
    optional = [f for f in fields(Signature) if f.default is not MISSING]
    factories = [(f.name, f.default_factory) for f in fields(Signature) if f.default_factory is not MISSING]
    return {f.name: f.default for f in optional}, factories


def signature_from(name: str, value: object) -> Signature:
    """Convert a user's gene list, mapping or weights to a signature.

    Parameters
    ----------
    name
        Its id.
    value
        A signature, a list of genes, ``{"up": [...], "down": [...]}``, or gene -> signed weight.

    Returns
    -------
    Signature
        With that id; a gene that a list repeats counts once.

    Raises
    ------
    SignatureError
        If the value is none of these, or a weight is 0 or not finite.
    """
    if isinstance(value, Signature):
        return replace(value, id=name)
    if isinstance(value, Mapping):
        if set(value) <= {"up", "down"}:
            return Signature(
                id=name, up=tuple(dict.fromkeys(value.get("up", ()))), down=tuple(dict.fromkeys(value.get("down", ())))
            )
        try:
            weights = {str(g): float(w) for g, w in value.items()}
        except (TypeError, ValueError) as error:
            raise SignatureError(f"{name}: the weights of a gene -> weight mapping must be numbers.") from error
        zero = [g for g, w in weights.items() if w == 0 or not np.isfinite(w)]
        if zero:
            raise SignatureError(f"{name}: weights must be finite and not 0 ({examples(zero)}); leave those genes out.")
        return signed_signature(name, weights)
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise SignatureError(f"{name}: give a list of gene symbols, not {value!r}.")
    genes = tuple(value)
    try:
        return Signature(id=name, up=genes)
    except SignatureError:
        # Rare: lists of distinct text, of which there may be thousands, are checked once.
        return Signature(id=name, up=tuple(dict.fromkeys(map(str, genes))))


def signed_signature(name: str, weights: Mapping[str, float], *, path: str = "") -> Signature:
    """Return the signature of signed weights per gene, none of them 0."""
    return Signature(
        id=name,
        up=tuple(g for g, w in weights.items() if w > 0),
        down=tuple(g for g, w in weights.items() if w < 0),
        weights={g: abs(w) for g, w in weights.items() if abs(w) != 1},
        path=path,
    )


def by_id(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Return entries under their ids, in their order.

    Raises
    ------
    SignatureError
        If something is not an entry, or two have one id.
    """
    out: dict[str, Entry] = {}
    for entry in entries:
        if not isinstance(entry, Entry):
            raise SignatureError(f"A collection holds Signature, Ratio, Panel or Composite, not {type(entry)}.")
        if entry.id in out:
            raise SignatureError(f"Two entries are called {entry.id}; ids must be unique.")
        out[entry.id] = entry
    return out


def _texts(values: Iterable[object]) -> tuple[str, ...]:
    """Convert values to text."""
    found: tuple[Any, ...] = tuple(values)
    return found if set(map(type, found)) <= {str} else tuple(map(str, found))
