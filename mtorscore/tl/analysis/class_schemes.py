"""Schemes of classes: templates of up and down genes per class, as data in ``signatures/classes``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mtorscore.collection import Signature, SignatureCollection, library
from mtorscore.collection.library_files import library_folder
from mtorscore.collection.yaml_text import load
from mtorscore.errors import FormatError, SignatureError, nearest

__all__ = ["Scheme", "Template", "read_scheme", "scheme", "schemes"]

FOLDER = "classes"
"""Below the library's folder; no entries stand there."""
KEYS = {"id", "title", "version", "cancers", "classes", "identity", "against", "reference", "least", "sources"}
KEYS |= {"licence", "caveat"}


@dataclass(frozen=True)
class Template:
    """Genes of one class.

    Attributes
    ----------
    up, down
        Genes that are high, and low, in the class.
    title
        What the class is.
    """

    up: tuple[str, ...]
    down: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True)
class Scheme:
    """Classes that tumours are told apart into.

    Attributes
    ----------
    id, title, version
        Name, what it is, and the version of the lists.
    cancers
        Cancers that it speaks of, such as HCC.
    classes
        Class -> `Template`.
    identity
        ``genes`` of the lineage and ``least``, the mean percentile that they must have in a sample; empty where nothing
        is asked.
    against
        What the tissue must not look like: per entry ``what``, ``high`` and ``low`` genes, and ``margin``, the
        difference of their mean percentiles from which on a sample counts as that.
    reference
        Frozen cohort: ``cohort`` (in words), ``n``, ``genes`` (gene -> mean and SD of its percentile among the genes of
        the scheme), ``scores`` (class -> mean and SD of its rank score); empty where there is none.
    least
        Genes that each class must have in the matrix at least.
    sources, licence, caveat
        As in an entry of the library.
    """

    id: str
    title: str
    version: int
    cancers: tuple[str, ...]
    classes: Mapping[str, Template]
    identity: Mapping[str, Any] = field(default_factory=dict)
    against: tuple[Mapping[str, Any], ...] = ()
    reference: Mapping[str, Any] = field(default_factory=dict)
    least: int = 10
    sources: tuple[Mapping[str, Any], ...] = ()
    licence: str = ""
    caveat: str = ""

    @property
    def genes(self) -> tuple[str, ...]:
        """Genes of all templates, each once."""
        return tuple(dict.fromkeys(g for t in self.classes.values() for g in (*t.up, *t.down)))

    def signatures(self) -> SignatureCollection:
        """Return each class as a signature, ``<scheme>_<class>``, to be scored like any other."""
        return SignatureCollection(
            [
                Signature(id=f"{self.id}_{name}", up=t.up, down=t.down, branch="context", title=t.title or name)
                for name, t in self.classes.items()
            ]
        )


def schemes() -> list[str]:
    """Return the ids of the schemes that ship with mtorscore."""
    return sorted(p.stem for p in (library_folder() / FOLDER).glob("*.yaml"))


def scheme(name: str | Path | Scheme) -> Scheme:
    """Return a scheme by its id, or read one from a YAML file.

    Raises
    ------
    SignatureError
        If nothing is called so, or the scheme is not valid.
    FormatError
        If the file cannot be read.
    """
    if isinstance(name, Scheme):
        return name
    if str(name) in schemes():
        return read_scheme(library_folder() / FOLDER / f"{name}.yaml")
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        return read_scheme(path)
    near = nearest(str(name), schemes())
    hint = f" Near: {', '.join(near)}." if near else ""
    raise SignatureError(
        f"There is no scheme of classes {str(name)!r}; there are {', '.join(schemes())}, or name a YAML file.{hint}"
    )


def read_scheme(path: Path) -> Scheme:
    """Read a scheme from a YAML file.

    A class lists ``up`` and ``down`` genes, or names a signature of the library: ``up: {entry: HOSHIDA_S1}``, with
    ``direction: down`` for its down genes.

    Raises
    ------
    FormatError
        If there is no such file, or it holds no scheme.
    SignatureError
        If a class has no genes, or a gene stands in both directions of one class.
    """
    try:
        raw = load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FormatError("There is no such scheme of classes.", path=path) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FormatError(f"This is no readable YAML ({error}).", path=path) from error
    if not isinstance(raw, dict) or not {"id", "cancers", "classes"} <= set(raw) or set(raw) - KEYS:
        found = sorted(set(raw) - KEYS) if isinstance(raw, dict) else type(raw).__name__
        raise FormatError(
            f"A scheme has the keys id, cancers and classes, and of {', '.join(sorted(KEYS))} what it needs; this one "
            f"has {found or 'too few'}.",
            path=path,
        )
    if not isinstance(raw["classes"], dict) or len(raw["classes"]) < 2:
        raise FormatError("A scheme needs two classes or more.", path=path)
    classes = {str(name): _template(str(name), part or {}, raw["id"]) for name, part in raw["classes"].items()}
    reference = dict(raw.get("reference") or {})
    return Scheme(
        id=str(raw["id"]),
        title=str(raw.get("title", raw["id"])),
        version=int(raw.get("version", 1)),
        cancers=tuple(map(str, raw["cancers"])),
        classes=classes,
        identity=dict(raw.get("identity") or {}),
        against=tuple(raw.get("against") or ()),
        reference=reference,
        least=int(raw.get("least", 10)),
        sources=tuple(raw.get("sources") or ()),
        licence=str(raw.get("licence", "")),
        caveat=str(raw.get("caveat", "")),
    )


def _template(name: str, part: Mapping[str, Any], of: object) -> Template:
    up, down = _genes(part.get("up")), _genes(part.get("down"))
    both = sorted(set(up) & set(down))
    if not up and not down:
        raise SignatureError(f"Class {name} of {of} has no genes; list them under up or down.")
    if both:
        raise SignatureError(f"Class {name} of {of} has {', '.join(both[:3])} in both directions.")
    return Template(up, down, str(part.get("title", "")))


def _genes(listed: Any) -> tuple[str, ...]:
    if isinstance(listed, dict):
        found = library(experimental=True)[str(listed["entry"])]
        if not isinstance(found, Signature):
            raise SignatureError(f"{listed['entry']} is no signature, and has no genes for a class.")
        return found.down if listed.get("direction", "up") == "down" else found.up
    return tuple(dict.fromkeys(map(str, listed or ())))
