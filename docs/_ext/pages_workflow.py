"""Pages of the workflow and the command line: configuration keys, commands, errors and cohort recipes."""

from __future__ import annotations

import inspect
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

from markdown import cell, code, join, table

from mtorscore import errors, pp

__all__ = ["pages"]

STATUS = {
    "verified": "read and checked on the real files",
    "labels": "clinical labels only",
    "unverified": "written from the publication; refused unless every field it names is found at the first reading",
}


def pages() -> dict[str, str]:
    """Return the pages."""
    return {
        "configuration.md": _configuration(),
        "commands.md": _commands(),
        "errors.md": _errors(),
        "cohorts.md": _cohorts(),
    }


def _configuration() -> str:
    file = resources.files("mtorscore.workflows").joinpath("schemas", "config.schema.json")
    schema = json.loads(file.read_text(encoding="utf-8"))
    demo = resources.files("mtorscore.workflows").joinpath("config", "demo.yaml").read_text(encoding="utf-8")
    required = schema.get("required", [])
    parts = []
    for key, rule in schema["properties"].items():
        facts = [["type", _type(rule)], ["default", "none, must be given" if key in required else _default(rule)]]
        if limits := _limits(rule):
            facts.append(["allowed", limits])
        parts += [f"(config-{key})=\n## `{key}`", _prose(rule.get("description", "")), table(["", ""], facts)]
    return join(
        "# Configuration, key by key",
        "A run is described by one YAML file. These are all its keys; any other is refused by name. "
        "This page is written from the schema that checks the file (`workflows/schemas/config.schema.json`).",
        "The demo's file:",
        f"```yaml\n{demo.strip()}\n```",
        "On the command line, `mtorscore run --config my.yaml --set KEY=VALUE` overrides one key, and so does "
        "`snakemake --config KEY=VALUE`.",
        *parts,
    )


def _prose(text: str) -> str:
    """Return a description with the angle brackets of placeholders kept from being read as HTML."""
    return text.replace("<", "\\<")


def _type(rule: dict[str, Any]) -> str:
    if "enum" in rule:
        return "one of a few values"
    kind = rule.get("type", "any")
    kinds = kind if isinstance(kind, list) else [kind]
    names = {"string": "text", "integer": "whole number", "array": "list", "object": "mapping", "null": "null"}
    text = " or ".join(names.get(k, k) for k in kinds)
    if kind == "array" and "items" in rule:
        text += f" of {_type(rule['items'])}"
    return text


def _default(rule: dict[str, Any]) -> str:
    return code(json.dumps(rule.get("default")))


def _limits(rule: dict[str, Any]) -> str:
    if "enum" in rule:
        return ", ".join(code(json.dumps(v)) for v in rule["enum"])
    parts = []
    if "minimum" in rule:
        parts.append(f"at least {rule['minimum']}")
    if "maximum" in rule:
        parts.append(f"at most {rule['maximum']}")
    if "pattern" in rule:
        parts.append(f"matches {code(rule['pattern'])}")
    if "minItems" in rule:
        parts.append(f"{rule['minItems']} item or more")
    if rule.get("uniqueItems"):
        parts.append("no duplicates")
    return ", ".join(parts)


def _commands() -> str:
    import typer

    from mtorscore.cli.app import app

    root = typer.main.get_command(app)
    parts = [_command(name, command) for name, command in _walk(root, "mtorscore")]
    return join(
        "# Commands",
        "Every step of the workflow can be run alone. `mtorscore COMMAND --help` says the same as this page, which is "
        "written from the commands themselves. The exit codes are described under "
        "[exit codes and errors](../reference/exit_codes.md).",
        *parts,
    )


def _walk(group: Any, name: str) -> list[tuple[str, Any]]:
    out = []
    for short, command in group.commands.items():
        if hasattr(command, "commands"):
            out += _walk(command, f"{name} {short}")
        else:
            out.append((f"{name} {short}", command))
    return out


def _command(name: str, command: Any) -> str:
    arguments, options = [], []
    for p in command.params:
        if p.name == "help" or getattr(p, "hidden", False):
            continue
        if p.param_type_name == "argument":
            arguments.append([code(p.name.upper()), cell(getattr(p, "help", "") or "")])
        else:
            names = ", ".join(code(o) for o in [*p.opts, *p.secondary_opts])
            default = getattr(p, "default", None)
            plain = isinstance(default, str | int | float | Path) and not isinstance(default, bool) and default != ""
            shown = code(default) if plain else ("required" if p.required else "")
            options.append([names, shown, _options_as_code(cell(p.help or ""))])
    text, examples = _split_help(inspect.cleandoc(command.help or ""))
    return join(
        f"## `{name}`",
        _options_as_code(_prose(" ".join(text.split()))),
        "```shell\n" + "\n".join(examples) + "\n```" if examples else "",
        table(["argument", "meaning"], arguments) if arguments else "",
        table(["option", "default", "meaning"], options) if options else "",
    )


def _options_as_code(text: str) -> str:
    """Return text with options such as --config set as code, so that two hyphens stay two."""
    return re.sub(r"(?<![\w`-])(--[a-z][\w-]*)", r"`\1`", text)


def _split_help(text: str) -> tuple[str, list[str]]:
    """Return the prose of a command's help, and its example commands, a line each."""
    prose, _, examples = text.partition("For example:")
    return prose, [line.strip() for line in examples.splitlines() if line.strip(" `") not in ("", "text")]


def _errors() -> str:
    rows: dict[str, list[list[str]]] = {"errors": [], "warnings": []}
    for name in errors.__all__:
        thing = getattr(errors, name)
        if not inspect.isclass(thing):
            continue
        kind = "warnings" if issubclass(thing, Warning) else "errors"
        builtin = next((b.__name__ for b in thing.__mro__ if b.__module__ == "builtins"), "")
        first = (inspect.getdoc(thing) or "").split("\n\n")[0]
        rows[kind].append([code(f"mtorscore.errors.{name}"), code(builtin), cell(first)])
    return join(
        "# Error and warning classes",
        "Every error that you can fix is one of these classes, and so is every warning, so that you can catch or "
        "filter them by class. Each is also one of Python's own classes, named in the second column.",
        "## Errors",
        table(["class", "is also a", "raised when"], rows["errors"]),
        "## Warnings",
        table(["class", "is also a", "given when"], rows["warnings"]),
        "To stop at a warning instead of reading past it:",
        "```python\nimport warnings\nfrom mtorscore.errors import CoverageWarning\n\n"
        'warnings.simplefilter("error", CoverageWarning)\n```',
    )


def _cohorts() -> str:
    rows = []
    for name in pp.recipes():
        r = pp.load_recipe(name)
        outcome = ", ".join([*r.endpoints, *r.labels])
        rows.append([code(r.id), cell(r.title), r.cancer, r.status, cell(outcome), cell(r.source)])
    statuses = "\n".join(f"- **{k}**: {v}." for k, v in STATUS.items())
    return join(
        "# Cohort recipes that ship",
        "A recipe says which files make a cohort and which column is what; [the guide](../howto/new_cohort.md) shows "
        "how to write one. Status:",
        statuses,
        "Cancers: *hcc*, hepatocellular carcinoma; *cca*, cholangiocarcinoma (bile duct); *hb*, hepatoblastoma. "
        "Endpoints: OS, overall survival; DSS, disease-specific survival; PFI, progression-free interval; DFI, "
        "disease-free interval; RFS, recurrence-free survival.",
        table(["recipe", "cohort", "cancer", "status", "endpoints and labels", "source"], rows),
    )
