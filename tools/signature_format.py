"""Write the JSON schema of signature files and the manual's table of keys from `mtorscore.collection.entry_format`.

Usage: python tools/signature_format.py [--check]

Writes ``signatures/schema.json`` and the table in ``docs/adding_a_signature.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from mtorscore.collection import EVIDENCE
from mtorscore.collection.entry_format import (
    GENE_KEYS,
    GROUPS,
    KEYS,
    LEVELS_OF_KIND,
    PERTURBATIONS,
    RESPONSES,
    SOURCE_KEYS,
    Key,
)

ROOT = Path(__file__).resolve().parents[1]
BEGIN = "<!-- Written by tools/signature_format.py; do not edit. -->\n"
END = "<!-- End of what is written. -->\n"
SYMBOL = {"type": "string", "pattern": r"^\S+$"}
FORMS: dict[str, dict[str, Any]] = {
    "genes": {"$ref": "#/$defs/genes"},
    "sources": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/source"}},
    "parts": {"type": "object", "minProperties": 2, "additionalProperties": {"type": "number", "not": {"const": 0}}},
    "responses": {
        "type": "object",
        "properties": {p: {"enum": list(RESPONSES)} for p in PERTURBATIONS},
        "additionalProperties": False,
    },
    "boolean": {"type": "boolean"},
}
IN_WORDS = {
    "text": "text",
    "integer": "whole number",
    "boolean": "`true` or `false`",
    "texts": "list",
    "genes": "genes by evidence class",
    "parts": "`{ID: weight}`",
    "sources": "list of sources",
    "responses": f"{', '.join(f'`{p}`' for p in PERTURBATIONS)}: {', '.join(f'`{r}`' for r in RESPONSES)}",
}


def schema() -> dict[str, Any]:
    """Return the JSON schema of one entry of the library."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://mtorscore.invalid/schemas/signature-1.json",
        "title": "One entry of the mtorscore signature library",
        "description": "A YAML file signatures/<branch>/<ID>.yaml. `mtorscore signatures validate` checks more than a "
        "schema can: current symbols, genes in two directions, sources behind evidence, parts of composites.",
        "type": "object",
        "required": [key.name for key in KEYS if key.needed],
        "properties": {key.name: _property(key) for key in KEYS},
        "additionalProperties": False,
        "allOf": [_rules_of_kind(kind) for kind in GROUPS],
        "$defs": {"genes": _genes(), "source": _source()},
    }


def _property(key: Key) -> dict[str, Any]:
    if key.form in FORMS:
        return FORMS[key.form] | {"description": key.meaning}
    item: dict[str, Any] = {"type": "string"}
    if key.words:
        item = {"enum": [int(w) for w in key.words] if key.form == "integer" else list(key.words)}
    elif key.pattern:
        item["pattern"] = f"^(?:{key.pattern})$"
    elif key.needed:
        item["minLength"] = 1
    if key.form == "texts":
        item = {"type": "array", "items": item, "uniqueItems": True}
    return item | {"description": key.meaning}


def _rules_of_kind(kind: str) -> dict[str, Any]:
    """Return what only entries of a kind must have, and may not have."""
    properties: dict[str, Any] = {"level": {"enum": list(LEVELS_OF_KIND[kind])}}
    properties |= {key.name: False for key in KEYS if kind not in key.kinds}
    rule: dict[str, Any] = {"properties": properties, "required": ["parts"]}
    if kind == "ratio":
        rule["required"] = [*GROUPS[kind], "sources"]
    elif kind != "composite":
        rule |= {"required": ["sources"], "anyOf": [{"required": [group]} for group in GROUPS[kind]]}
    return {"if": {"properties": {"kind": {"const": kind}}}, "then": rule}


def _genes() -> dict[str, Any]:
    weight, source = GENE_KEYS
    positive = {"type": "number", "exclusiveMinimum": 0}
    both = {"type": "object", "properties": {weight: positive, source: {"type": "string"}}}
    values = [{"type": "null"}, {"type": "string"}, positive, both | {"additionalProperties": False}]
    listed = {"type": "array", "minItems": 1, "uniqueItems": True, "items": SYMBOL}
    mapping = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": SYMBOL["pattern"]},
        "additionalProperties": {"oneOf": values},
    }
    return {
        "type": "object",
        "minProperties": 1,
        "description": "evidence class -> genes, as a list or as SYMBOL: source, weight, or both",
        "properties": {label: {"oneOf": [listed, mapping]} for label in EVIDENCE},
        "additionalProperties": False,
    }


def _source() -> dict[str, Any]:
    return {
        "type": "object",
        "required": [key.name for key in SOURCE_KEYS if key.needed],
        "properties": {key.name: _property(key) for key in SOURCE_KEYS},
        "additionalProperties": False,
    }


def table() -> str:
    """Return the manual's tables of keys, those of an entry and those of a source."""
    lines = ["| key | kinds | value | meaning |", "| --- | --- | --- | --- |"]
    for key in KEYS:
        kinds = "all" if len(key.kinds) == len(GROUPS) else ", ".join(key.kinds)
        needed = " (required)" if key.needed else ""
        lines.append(f"| `{key.name}`{needed} | {kinds} | {_value(key)} | {key.meaning} |")
    lines += ["", "Keys of a source:", "", "| key | value | meaning |", "| --- | --- | --- |"]
    for key in SOURCE_KEYS:
        lines.append(f"| `{key.name}`{' (required)' if key.needed else ''} | {_value(key)} | {key.meaning} |")
    return "\n".join(lines) + "\n"


def _value(key: Key) -> str:
    words = ", ".join(f"`{w}`" for w in key.words)
    if not words:
        return IN_WORDS[key.form]
    return f"list of {words}" if key.form == "texts" else words


def targets() -> dict[Path, str]:
    """Return the files with the text that they should hold."""
    page = ROOT / "docs" / "adding_a_signature.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return {
        ROOT / "signatures" / "schema.json": json.dumps(schema(), indent=2) + "\n",
        page: f"{before}{BEGIN}\n{table()}\n{END}{after}",
    }


def main() -> None:
    """Write the files, or with ``--check`` exit 1 where one is not current."""
    parser = argparse.ArgumentParser(description="Write signatures/schema.json and the manual's table of keys.")
    parser.add_argument("--check", action="store_true", help="only say whether the files are current")
    check = parser.parse_args().check
    for path, text in targets().items():
        if path.read_text(encoding="utf-8") == text:
            continue
        if check:
            sys.exit(f"{path.relative_to(ROOT)} is not current; run python tools/signature_format.py.")
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
