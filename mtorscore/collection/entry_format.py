"""The file format of a signature, stated once: keys, types and allowed words.

`yaml_format` reads and writes files by this statement, `rules` checks them against it, and
``tools/signature_format.py`` writes ``signatures/schema.json`` and the table of keys in the manual from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from mtorscore.collection.entries import CANCERS, ENTRY_CLASSES
from mtorscore.collection.library_files import BRANCHES, LEVELS

__all__ = [
    "CODES",
    "CONFIDENCE",
    "GENE_KEYS",
    "GROUPS",
    "KEYS",
    "LEVELS_OF_KIND",
    "LICENCES",
    "PERTURBATIONS",
    "RESPONSES",
    "RESTRICTED",
    "ROLES",
    "SOURCE_KEYS",
    "Key",
]

PERTURBATIONS = ("rapalog", "active_site", "tsc_loss")
RESPONSES = ("up", "down", "unchanged", "varies", "unknown")
CONFIDENCE = ("high", "moderate", "low")
RESTRICTED = ("KEGG_", "BIOCARTA_", "PENG_")
LICENCES = ("CC-BY-4.0", "CC0-1.0", "Apache-2.0", "MIT", "BSD-3-Clause", "Gene names are facts")
LEVELS_OF_KIND: dict[str, tuple[str, ...]] = {
    "signature": ("transcriptional", "translational", "component"),
    "ratio": ("component",),
    "panel": ("component",),
    "composite": ("composite",),
}
ROLES: dict[str, int] = {"drives": 1, "brakes": -1, "neither": 0}
GENE_KEYS = ("weight", "source")
_VERSION = r"\d+\.\d+\.\d+"


@dataclass(frozen=True)
class Key:
    """One key of a file.

    Parameters
    ----------
    name
        As it is written.
    form
        ``"text"``, ``"integer"``, ``"boolean"``, ``"texts"`` (a list), ``"genes"`` (by evidence class), ``"parts"``
        (id -> weight), ``"sources"`` (a list of mappings with `SOURCE_KEYS`) or ``"responses"`` (perturbation ->
        response).
    meaning
        For the manual.
    needed
        Every entry of the library has it.
    words
        Allowed values; of a list, allowed items.
    pattern
        Regular expression that the whole text, or each item of a list, matches.
    kinds
        Kinds of entry that may have it.
    """

    name: str
    form: str
    meaning: str
    needed: bool = False
    words: tuple[str, ...] = ()
    pattern: str = ""
    kinds: tuple[str, ...] = tuple(ENTRY_CLASSES)


KEYS: tuple[Key, ...] = (
    Key("id", "text", "unique name; the file is called ID.yaml", True, pattern=r"[A-Za-z0-9][A-Za-z0-9_.-]*"),
    Key("kind", "text", "what the entry is", True, tuple(ENTRY_CLASSES)),
    Key("title", "text", "what it measures, in one line", True),
    Key("branch", "text", "branch of the pathway, which is also the folder", True, BRANCHES),
    Key("level", "text", "what a transcript score can mean", True, LEVELS),
    Key("sign", "integer", "1 rises with mTOR activity, -1 falls, 0 neither is claimed", True, ("1", "0", "-1")),
    Key("experimental", "boolean", "true keeps the entry out of `mt.library()`"),
    Key("cancers", "texts", "cancers it is meant for; all where absent", words=CANCERS),
    Key("seeds", "texts", "systems of the seed review that it serves", pattern=r"S(?:0[1-9]|[1-4][0-9]|5[0-3])"),
    Key("up", "genes", "genes that rise with what the signature measures", kinds=("signature",)),
    Key("down", "genes", "genes that fall with what the signature measures", kinds=("signature",)),
    Key("numerator", "genes", "genes whose mean is divided", kinds=("ratio",)),
    Key("denominator", "genes", "genes whose mean divides", kinds=("ratio",)),
    Key("drives", "genes", "members that drive the process", kinds=("panel",)),
    Key("brakes", "genes", "members that brake it", kinds=("panel",)),
    Key("neither", "genes", "members that do neither", kinds=("panel",)),
    Key("parts", "parts", "ids of other entries with their weights", kinds=("composite",)),
    Key("sources", "sources", "where the genes were read or checked, and why the entry makes sense"),
    Key("licence", "text", "terms of use, as `signatures/LICENSES.md` names them", True),
    Key("expected", "responses", "response to a rapalog, an active-site inhibitor, and loss of TSC1 or TSC2"),
    Key(
        "confidence",
        "text",
        "of your own entries, in your words; the library's evidence is `evidence.tsv`",
        pattern=rf"(?:{'|'.join(CONFIDENCE)})\b.*",
    ),
    Key("caveat", "text", "one sentence on what moves it besides mTOR", True),
    Key("remark", "text", "anything else that a reader should know"),
    Key("added", "text", "library version that brought it", True, pattern=_VERSION),
    Key("changed", "text", "library version that last changed its value", pattern=_VERSION),
)
SOURCE_KEYS: tuple[Key, ...] = (
    Key("name", "text", "title, set name or short citation", True),
    Key(
        "role",
        "text",
        "`list`: the genes were read there; `cross-check`: membership was confirmed there; `rationale`: the paper that "
        "motivates the entry",
        words=("list", "cross-check", "rationale"),
    ),
    Key("pmid", "text", "PubMed identifier, in quotes", pattern=r"[1-9]\d{0,7}"),
    Key("doi", "text", "DOI, without an address before it", pattern=r"10\.\d{4,9}/\S+"),
    Key("version", "text", "release of the source"),
    Key("accession", "text", "identifier within the source"),
)
GROUPS: dict[str, tuple[str, ...]] = {
    kind: tuple(k.name for k in KEYS if k.form == "genes" and kind in k.kinds) for kind in ENTRY_CLASSES
}
"""Per kind of entry, the keys that hold genes; below each, genes are listed by evidence class."""
CODES: dict[str, str] = {
    "encoding": "the file is not UTF-8",
    "yaml": "the file is not valid YAML",
    "empty": "the file holds no entry",
    "mapping": "an entry is not a mapping",
    "duplicate-key": "a key is duplicated",
    "unknown-key": "a key that the format does not have",
    "missing-key": "a key that every entry needs is absent",
    "type": "a value has the wrong type",
    "kind": "an unknown kind",
    "id": "an id with characters other than letters, digits, _ . and -",
    "file-name": "the file is not called ID.yaml",
    "duplicate-id": "two entries have one id",
    "branch": "an unknown branch",
    "folder": "the file lies in the folder of another branch",
    "level": "an unknown level",
    "level-of-kind": "a level that the kind cannot have",
    "sign": "a sign other than 1, 0 and -1",
    "cancer": "an unknown cancer",
    "seed": "a seed other than S01 to S53",
    "evidence": "an unknown evidence class, or none",
    "no-genes": "a direction without a gene, or no gene at all",
    "one-sided": "a ratio without numerator or denominator",
    "repeated-gene": "a duplicated gene in one direction",
    "both-directions": "a gene in two directions",
    "symbol": "something that is not a gene symbol",
    "spreadsheet-date": "a gene symbol that a spreadsheet turned into a date",
    "old-symbol": "a symbol that is not the current HGNC symbol",
    "weight": "a weight that is not finite and positive",
    "recalled": "recalled genes in an entry that is not experimental",
    "no-source": "an entry without a source",
    "source-key": "a source with an unknown or missing key",
    "source-role": "an unknown role of a source",
    "pmid": "a malformed PMID",
    "doi": "a malformed DOI",
    "unsupported": "genes whose evidence class has no source of that role",
    "restricted": "a set under restricted terms (KEGG_, BIOCARTA_, PENG_)",
    "licence": "no licence, or one that LICENSES.md does not name",
    "expected": "an unknown perturbation or response",
    "confidence": "a confidence other than high, moderate, low",
    "version": "a version that is not like 1.0.0, or changed before added",
    "parts": "a composite with fewer than two parts, an unknown part, or a weight of 0",
}
"""What can be wrong with a file, by the code of the problem."""
