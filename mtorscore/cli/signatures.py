"""The signature library in a terminal: ``mtorscore signatures ...``."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtorscore.errors import DataWarning

if TYPE_CHECKING:
    from mtorscore.collection import Entry, SignatureCollection

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The signature library: list, show, search, export, validate, compare.")

_Json = Annotated[bool, typer.Option("--json", help="For machines.")]
_Branch = Annotated[list[str] | None, typer.Option("--branch", "-b", help="Keep this branch; may be repeated.")]
_Level = Annotated[
    list[str] | None, typer.Option("--level", "-l", help="transcriptional, translational, component, composite.")
]
_Kind = Annotated[list[str] | None, typer.Option("--kind", "-k", help="signature, ratio, panel, composite.")]
_Cancer = Annotated[
    str | None,
    typer.Option("--cancer", help="HCC (hepatocellular), CCA (bile duct), HB (hepatoblastoma); general entries stay."),
]
_Evidence = Annotated[
    list[str] | None, typer.Option("--evidence", "-e", help="Only entries whose genes are all read, cross-checked, ...")
]
_Confidence = Annotated[
    list[str] | None,
    typer.Option(help="as expected, none, opposed, not tested: what the evidence says in --context, or in any."),
]
_Context = Annotated[str | None, typer.Option(help="HCC, CCA, HB, other tumours, cell lines.")]
_Experimental = Annotated[bool, typer.Option("--experimental", help="Also entries that are off by default.")]
_Library = Annotated[
    Path | None, typer.Option("--library", help="A file or folder of signatures instead of the shipped library.")
]


def _collection(library: Path | None, experimental: bool = True) -> SignatureCollection:
    from mtorscore.collection import SignatureCollection
    from mtorscore.collection import library as shipped

    if library is None:
        return shipped(experimental=experimental)
    everything = SignatureCollection.read(library)
    return everything if experimental else everything.select(experimental=False)


def _record(entry: Entry, *, full: bool = False) -> dict[str, Any]:
    """Return an entry as plain values; `full` with everything that its file holds."""
    out: dict[str, Any] = {
        "id": entry.id,
        "kind": entry.kind,
        "branch": entry.branch,
        "level": entry.level,
        "sign": entry.sign,
        "title": entry.title,
        "genes": len(entry.genes),
        "evidence": entry.evidence_counts,
        "grades": entry.grades,
        "experimental": entry.experimental,
        "hash": entry.hash,
    }
    if full:
        from mtorscore.collection.yaml_format import entry_to_document

        document = entry_to_document(entry)
        own = {"genes": len(entry.genes), "evidence": entry.evidence_counts, "hash": entry.hash}
        out = document | own | {"grades": entry.grades, "shown": entry.graded()}
    return out


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


@app.command("list")
def list_(
    branch: _Branch = None,
    level: _Level = None,
    kind: _Kind = None,
    cancer: _Cancer = None,
    evidence: _Evidence = None,
    confidence: _Confidence = None,
    context: _Context = None,
    experimental: _Experimental = False,
    library: _Library = None,
    as_json: _Json = False,
) -> None:
    """List entries with branch, level, sign and number of genes.

    For example:

        mtorscore signatures list --branch srebp1 --branch srebp2
        mtorscore signatures list --level transcriptional --json
        mtorscore signatures list --confidence opposed --context HCC
    """
    chosen = _collection(library, experimental).select(
        branch=branch, level=level, kind=kind, cancer=cancer, evidence=evidence, confidence=confidence, context=context
    )
    if as_json:
        _print_json([_record(e) for e in chosen])
        return
    _table(chosen)


def _table(chosen: SignatureCollection, matches: dict[str, str] | None = None) -> None:
    from mtorscore.cli._signature_tables import print_entries
    from mtorscore.collection.library_files import library_meta

    titles = {branch: about["title"] for branch, about in library_meta()["branches"].items()}
    print_entries(list(chosen), titles=titles, version=chosen.version, matches=matches)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Id of an entry.")],
    genes: Annotated[bool, typer.Option("--genes", help="A line per gene: direction, evidence and source.")] = False,
    library: _Library = None,
    as_json: _Json = False,
) -> None:
    """Show one entry: genes by direction and evidence, sources, licence, expected responses, caveat.

    For example:

        mtorscore signatures show RIBI_CORE --genes
    """
    collection = _collection(library)
    entry = collection[name]
    if as_json:
        _print_json(_record(entry, full=True))
        return
    from mtorscore.cli._signature_card import print_entry, print_genes

    print_entry(entry, collection)
    if genes:
        print_genes(entry)


@app.command()
def system(
    name: Annotated[str, typer.Argument(help="S01 to S53, a system of the seed review.")],
    as_json: _Json = False,
) -> None:
    """Show what the data at hand answer to a system of the seed review: a table, and one sentence.

    For example:

        mtorscore signatures system S26
    """
    from mtorscore.collection.library_files import seed_answer, seed_map

    rows, sentence = seed_answer(name.upper())
    asked = next(s for s in seed_map() if s["id"] == name.upper())
    if as_json:
        _print_json({"system": asked["id"], "title": asked["system"], "sentence": sentence, "rows": rows})
        return
    from mtorscore.cli._signature_tables import print_answers

    print_answers(asked, rows, sentence)


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="A gene symbol, current or old, or words.")],
    library: _Library = None,
    as_json: _Json = False,
) -> None:
    """Find entries that hold a gene, or whose id, title, caveat or sources hold the words.

    For example:

        mtorscore signatures search SREBF1
        mtorscore signatures search rapamycin
    """
    from mtorscore.collection import SignatureCollection
    from mtorscore.genes.symbols import current_symbol

    everything = _collection(library)
    symbols = {text, text.upper(), *current_symbol(text)}
    words = text.lower().split()
    found: list[tuple[Entry, str]] = []
    for entry in everything:
        genes = sorted(symbols.intersection(entry.genes))
        prose = " ".join(
            [entry.id, entry.title, entry.caveat, entry.remark, *entry.seeds]
            + [f"{s.name} {s.pmid or ''} {s.doi or ''} {s.accession or ''}" for s in entry.sources]
        ).lower()
        if genes:
            found.append((entry, f"holds {', '.join(genes)}"))
        elif words and all(w in prose for w in words):
            found.append((entry, "text"))
    if as_json:
        _print_json([_record(e) | {"match": how} for e, how in found])
        return
    if not found:
        typer.echo(f"Nothing in the library holds or mentions {text!r}.")
        return
    reasons = {e.id: e.title if how == "text" else f"{how}: {e.title}" for e, how in found}
    _table(SignatureCollection((e for e, _ in found), version=everything.version), reasons)
    options = current_symbol(text)
    if len(options) > 1:
        typer.echo(f"{text} is ambiguous: it can mean {', '.join(options)}.", err=True)
    elif options and options[0] != text:
        typer.echo(f"{text} is now called {options[0]}.", err=True)


@app.command()
def export(
    path: Annotated[
        str,
        typer.Argument(
            help="File to write: .gmt, .gmx, .grp, .json, .tsv, .csv, .yaml; no ending: a folder of YAML; -"
        ),
    ],
    names: Annotated[list[str] | None, typer.Argument(help="Ids to write; all by default.")] = None,
    branch: _Branch = None,
    level: _Level = None,
    kind: _Kind = None,
    cancer: _Cancer = None,
    evidence: _Evidence = None,
    experimental: _Experimental = False,
    organism: Annotated[str, typer.Option(help="human, or mouse by one-to-one orthologues.")] = "human",
    form: Annotated[str, typer.Option("--format", help="Of what is written to - (standard output).")] = "gmt",
    library: _Library = None,
) -> None:
    """Write entries to a file, or with - to standard output, for GSEA, decoupler or anything else.

    For example:

        mtorscore signatures export library.gmt
        mtorscore signatures export - | head -3
    """
    chosen = _collection(library, experimental or bool(names)).select(
        names or None, branch=branch, level=level, kind=kind, cancer=cancer, evidence=evidence
    )
    if organism != "human":
        chosen, report = chosen.translate(organism)
        lost = int((report["status"] == "lost").sum())
        typer.echo(f"{lost} of {len(report)} genes have no one-to-one orthologue and are left out.", err=True)
    if path == "-":
        from mtorscore.collection.files import text_of

        typer.echo(text_of(chosen, f".{form.removeprefix('.')}"), nl=False)
        return
    written = chosen.write(path)
    whole = written.suffix.lower() in {"", ".yaml", ".yml"}
    held = len(chosen) if whole else len(chosen.signatures)
    note = "" if whole else " (gene lists; .yaml also keeps branch, level, evidence, sources and caveat)"
    typer.echo(f"{held} of {len(chosen)} entries -> {written}{note}", err=True)


@app.command()
def validate(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders; the shipped library by default.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Check signature files; every problem is printed with file, line and how to fix it, and the exit code is 2.

    For example:

        mtorscore signatures validate my-signatures/
    """
    from dataclasses import asdict

    from mtorscore.collection.library_files import library_folder
    from mtorscore.collection.validation import validate as check
    from mtorscore.genes.symbols import approved_symbols, old_symbols

    given = paths or [library_folder()]
    # Names of files, not their content: a broken file of the library must not hide the problems of this one.
    known = [p.stem for p in library_folder().glob("*/*.yaml")] if paths else []
    problems = check(given, symbols=old_symbols(), approved=approved_symbols(), known=known)
    if as_json:
        _print_json([asdict(p) for p in problems])
    elif problems:
        from rich.console import Console

        console = Console(highlight=False, soft_wrap=True)
        for problem in problems:
            console.print(f"[bold]{problem.path}:{problem.line}[/] [red]{problem.code}[/] {_plain(problem.message)}")
        console.print(f"{len(problems)} problem(s).")
    else:
        typer.echo("No problem found.")
    if problems:
        raise typer.Exit(2)


@app.command()
def overlap(
    names: Annotated[list[str] | None, typer.Argument(help="Ids; all by default.")] = None,
    by: Annotated[str, typer.Option(help="entry or branch.")] = "entry",
    share: Annotated[float, typer.Option(help="Report pairs that share more than this of the smaller one.")] = 0.3,
    experimental: _Experimental = False,
    library: _Library = None,
    as_json: _Json = False,
) -> None:
    """Show which entries or branches share genes.

    For example:

        mtorscore signatures overlap
    """
    chosen = _collection(library, experimental or bool(names)).select(names or None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # the table below says the same
        table = chosen.overlap(by=by, share=share)
    if as_json:
        typer.echo(table.to_json(orient="records", indent=2))
        return
    from mtorscore.cli._signature_tables import print_overlap

    print_overlap(table, share)


@app.command()
def diff(
    old: Annotated[str, typer.Argument(help="File or folder of signatures, or 'library'.")],
    new: Annotated[str, typer.Argument(help="File or folder of signatures, or 'library'.")] = "library",
    as_json: _Json = False,
) -> None:
    """Compare two collections entry by entry: added, removed, and changed genes, weights and fields.

    For example:

        mtorscore signatures diff old.gmt new.gmt
    """
    from mtorscore.cli._signature_card import compare

    first, second = (_collection(None if side == "library" else Path(side)) for side in (old, new))
    changes = compare(first, second)
    if as_json:
        _print_json(changes)
        return
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for change in changes:
        colour = {"added": "green", "removed": "red", "changed": "yellow"}[change["status"]]
        console.print(f"[{colour}]{change['status']}[/] [bold]{change['id']}[/]")
        for line in change["details"]:
            console.print(f"  {_plain(line)}")
    console.print(f"{len(changes)} of {len({*first.names, *second.names})} entries differ.")


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
