"""Files of the Genomic Data Commons: per-sample counts, sample sheets, carts, manifests."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError, DataWarning, FormatError, examples, warn
from mtorscore.io.formats.reader import Columns, FirstLines, Folder, Found, Reader, Rows
from mtorscore.io.portals.clinical_tables import TimeError, cart_frame
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.assembly import assemble, described, unique
from mtorscore.io.tables.cell_text import is_number
from mtorscore.io.tables.checks import not_number_error
from mtorscore.io.tables.delimited import parse
from mtorscore.io.tables.matrix import SPECIAL
from mtorscore.io.tables.per_sample import gene_order, one_unit, refuse_missing_or_negative

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["READERS"]

COUNT_FILE = re.compile(
    r"(augmented_star_gene_counts\.tsv|star_gene_counts\.tsv|\.htseq[._]counts(\.txt)?|\.counts|\.FPKM(-UQ)?\.txt|"
    r"[-_.]counts?\.(txt|tsv))(\.gz)?$",
    re.IGNORECASE,
)
# Column of STAR files -> units of the values.
STAR_UNITS = {
    "counts": "unstranded",
    "stranded_first": "stranded_first",
    "stranded_second": "stranded_second",
    "tpm": "tpm_unstranded",
    "fpkm": "fpkm_unstranded",
    "fpkm_uq": "fpkm_uq_unstranded",
}


def aliquots(folder: Path, metadata: str | Path | None = None) -> dict[str, str]:
    """Map GDC file names and ids to aliquot (or sample) barcodes, from a metadata cart or a sample sheet.

    Parameters
    ----------
    folder
        Where to look: the folder itself, then the two above it.
    metadata
        The cart JSON or sample sheet, where it is elsewhere.
    """
    found: list[Path] = [Path(metadata)] if metadata is not None else []
    for place in [folder, folder.parent, folder.parent.parent] if metadata is None else []:
        found += sorted(place.glob("metadata*.json*")) + sorted(place.glob("*sample_sheet*.tsv*"))
        if found:
            break
    names: dict[str, str] = {}
    for path in found:
        content = file_bytes.load(path)
        if content.data.lstrip().startswith(b"["):
            for entry in _json(content.data, path):
                who = [e.get("entity_submitter_id", "") for e in entry.get("associated_entities", [])]
                if who and who[0]:
                    names[str(entry.get("file_name"))] = names[str(entry.get("file_id"))] = who[0]
        else:
            frame = parse(content, text=True).frame()
            sample = next((c for c in ("Aliquot ID", "Sample ID") if c in frame), None)
            if sample is None or "File Name" not in frame:
                raise FormatError("a sample sheet needs the columns File Name and Sample ID.", path=path, line=1)
            for _, row in frame.iterrows():
                names[row["File Name"]] = row[sample].split(",")[0].strip()
                if "File ID" in frame:
                    names[row["File ID"]] = row[sample].split(",")[0].strip()
    return names


def _json(data: bytes, path: Path) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise FormatError(
            f"the JSON is truncated or damaged ({error}); download it again.",
            path=path,
            line=line,
            column=getattr(error, "colno", None),
        ) from error


def _one(
    path: Path, units: str
) -> tuple[list[str], npt.NDArray[np.float64], dict[str, list[str]], str, dict[str, str]]:
    """Read one per-sample file: identifiers, values, other gene columns, units, facts."""
    content = file_bytes.load(path)
    first = content.lines(8)
    star = any(line.startswith("gene_id\t") for line in first)
    if star:
        if not content.data.endswith(b"\n"):
            raise FormatError(
                "the last line has no end: the file is cut off; download it again.",
                path=path,
                line=content.data.count(b"\n") + 1,
            )
        grid = parse(content, delimiter="\t")
        column = STAR_UNITS.get(units)
        if column is None or column not in grid.names:
            raise DataError(f"{path}: units must be one of {', '.join(STAR_UNITS)}, not {units!r}.")
        at = grid.names.index(column)
        model = first[0].partition(":")[2].strip() if first[0].startswith("#") else ""
        facts = {"gene_model": model}
        extra = {
            c: [str(v) for v in grid.columns[grid.names.index(c)]]
            for c in ("gene_name", "gene_type")
            if c in grid.names
        }
    else:
        columns = ["gene", "gene_name", "value"] if first[0].count("\t") == 2 else ["gene", "value"]
        grid = parse(content, delimiter="\t", header=False, names=columns)
        at, facts = len(columns) - 1, {}
        extra = {"gene_name": [str(v) for v in grid.columns[1]]} if at == 2 else {}
        name = path.name.lower()
        units = "fpkm_uq" if "fpkm-uq" in name else ("fpkm" if "fpkm" in name else "counts")
    if grid.is_text(at):
        raise not_number_error(grid, content, at, grid.names[at])
    ids = [str(v) for v in grid.columns[0]]
    keep = [i for i, n in enumerate(ids) if not SPECIAL.match(n)]
    for i in set(range(len(ids))) - set(keep):
        value = grid.columns[at][i]
        facts[ids[i].lstrip("_")] = "" if value != value else str(int(value))
    values = grid.columns[at][keep]
    refuse_missing_or_negative(values, keep, grid, at, units)
    return [ids[i] for i in keep], values, {k: [v[i] for i in keep] for k, v in extra.items()}, units, facts


def counts(path: Path, *, units: str = "counts", metadata: str | Path | None = None) -> tuple[AnnData, dict[str, Any]]:
    """Read per-sample count files (GDC STAR or HTSeq, or plain HTSeq), one or a folder of them, into one matrix.

    Parameters
    ----------
    path
        A file, or the folder as the GDC client leaves it (a folder per file) or flat.
    units
        Which column of STAR files: counts, tpm, fpkm, fpkm_uq, stranded_first, stranded_second.
    metadata
        Metadata cart or sample sheet that names the samples; looked for beside the files if None.
    """
    if not path.is_dir():
        return _gather([path], path.parent, units, aliquots(path.parent, metadata))
    files = sorted(f for f in path.rglob("*") if f.is_file() and COUNT_FILE.search(f.name))
    check_manifest(path)
    return _gather(files, path, units, aliquots(path, metadata))


def check_manifest(path: Path) -> None:
    """Compare a folder with the manifests in it: a file of another size or checksum is refused, missing ones named."""
    unfinished = sorted(f.name for f in path.rglob("*.partial"))
    listed: dict[str, tuple[int, str]] = {}
    for manifest in sorted([*path.glob("gdc_manifest*.t*"), *path.glob("MANIFEST.txt")]):
        frame = parse(file_bytes.load(manifest), delimiter="\t", text=True).frame()
        if {"filename", "size", "md5"} <= set(frame.columns):
            sizes = [int(s) if s.isdigit() else -1 for s in frame["size"]]
            names = [str(n).rsplit("/", 1)[-1] for n in frame["filename"]]
            listed |= dict(zip(names, zip(sizes, frame["md5"], strict=True), strict=True))
    here = {f.name: f for f in path.rglob("*") if f.is_file() and f.name in listed}
    for name, file in here.items():
        size, md5 = listed[name]
        if size >= 0 and file.stat().st_size != size:
            raise FormatError(
                f"{file.stat().st_size} bytes where the manifest says {size}: the download is not complete; "
                "download it again.",
                path=file,
            )
        if len(md5) == 32 and hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() != md5.lower():
            raise FormatError(
                "not the MD5 checksum of the manifest: the file is damaged; download it again.", path=file
            )
    missing = [n for n in listed if n not in here and COUNT_FILE.search(n)]
    if missing or unfinished:
        said = [f"{len(missing)} files of the manifest are not here ({examples(missing)})"] if missing else []
        said += [f"{len(unfinished)} downloads are not finished ({examples(unfinished)})"] if unfinished else []
        warn(f"{path.name}: {'; '.join(said)}. They are left out.", DataWarning)


def _gather(files: list[Path], root: Path, units: str, names: dict[str, str]) -> tuple[AnnData, dict[str, Any]]:
    if not files:
        raise FormatError("no count file in this folder.", path=root)
    rows: list[npt.NDArray[np.float64]] = []
    genes: list[str] = []
    extra: dict[str, list[str]] = {}
    found: set[str] = set()
    facts: list[dict[str, str]] = []
    for file in files:
        ids, values, others, unit, fact = _one(file, units)
        if not rows:
            genes, extra = ids, others
        rows.append(values[gene_order(ids, genes, file)])
        found.add(unit)
        facts.append(fact)
    unit = one_unit(found, root)
    stems = [_stem(f) for f in files]
    barcodes = [
        names.get(f.name) or names.get(f.name.removesuffix(".gz")) or names.get(f.parent.name) or "" for f in files
    ]
    known = all(barcodes)
    if names and not known:
        without = [f.name for f, b in zip(files, barcodes, strict=True) if not b]
        warn(
            f"{root.name}: {len(without)} of {len(files)} files are not in the metadata cart or sample sheet "
            f"({examples(without)}); samples are called by their files.",
            DataWarning,
        )
    obs = pd.DataFrame({"file_name": [f.name for f in files], "file_id": [f.parent.name for f in files]})
    for key in sorted({k for fact in facts for k in fact} - {"gene_model"}):
        obs[key] = [float(fact.get(key) or "nan") for fact in facts]
    chosen = barcodes if known and len(set(barcodes)) == len(barcodes) else stems
    if any(barcodes) and chosen is stems:
        obs["barcode"] = barcodes
    adata = assemble(np.vstack(rows), chosen, genes, obs=obs, var=pd.DataFrame(extra) if extra else None)
    reason = "not every file has a barcode of its own" if names else "no metadata cart or sample sheet was found"
    named = "barcodes from the metadata" if chosen is barcodes else f"file names: {reason}"
    return adata, {"units": unit, "table": "matrix", "orientation": "one file per sample", "names": named,
                   "gene_model": " / ".join(sorted({f.get("gene_model", "") for f in facts}))}  # fmt: skip


def _stem(file: Path) -> str:
    name = file.name.removesuffix(".gz")
    found = COUNT_FILE.search(name)
    return (
        name[: found.start()].rstrip(".-_").removesuffix(".rna_seq")
        if found and found.start()
        else name.rsplit(".", 1)[0]
    )


def cart(path: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read a GDC cart in JSON: cases (clinical) or files (metadata), one observation each."""
    entries = _json(file_bytes.load(path).data, path)
    if not isinstance(entries, list) or not entries or not isinstance(entries[0], dict):
        raise FormatError("JSON, but not a cart of cases or files (a list of records).", path=path, line=1)
    if "file_name" in entries[0]:
        rows = [
            {
                "file_name": e.get("file_name", ""),
                "file_id": e.get("file_id", ""),
                "barcode": next(iter(_entities(e)), ""),
                "md5sum": e.get("md5sum", ""),
                "workflow": (e.get("analysis") or {}).get("workflow_type", ""),
            }
            for e in entries
        ]
        return described(pd.DataFrame(rows), [str(r["file_id"]) for r in rows], genes=False), {"table": "files"}
    try:
        frame = cart_frame(entries, path)
    except TimeError as error:
        raise FormatError(f"{str(error)!r} where a number of days is expected.", path=path) from error
    return described(frame, list(frame.index), genes=False), {"table": "clinical"}


def manifest(path: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read a GDC manifest or sample sheet: one observation per file."""
    frame = parse(file_bytes.load(path), delimiter="\t", text=True).frame()
    key = "id" if "id" in frame else "File ID"
    if frame[key].duplicated().any():
        # A file of several samples (tumour and normal) is listed once per sample.
        frame[key] = unique(list(frame[key]))
    return described(frame.drop(columns=key), list(frame[key]), genes=False), {"table": "files"}


def _entities(entry: dict[str, Any]) -> Iterable[str]:
    return [str(e.get("entity_submitter_id", "")) for e in entry.get("associated_entities", [])]


def _is_star(seen: FirstLines) -> Found | None:
    known = seen.first.startswith(("# gene-model:", "gene_id\tgene_name\tgene_type\tunstranded"))
    return Found("gdc-star-counts", "the header of GDC STAR counts") if known else None


def _is_htseq(seen: Rows) -> Found | None:
    from mtorscore.genes.identifier_kinds import gene_likeness

    rows = [line.split("\t") for line in seen.body[:200]]
    genes = [r[0] for r in rows if not SPECIAL.match(r[0])]
    widths = {len(r) for r in rows}
    named = widths == {3} and all(not is_number(r[1]) for r in rows)
    if len(genes) < 2 or (widths != {2} and not named) or gene_likeness(genes)[0] <= 0.8:
        return None
    values = [r[-1] for r in rows]
    if not all(map(is_number, values)) or any(v.startswith("-") for v in values):
        return None
    whole = all(v.isdigit() for v in values)
    # Symbols with decimals, and no header, are a list of ranked genes or a table that lost its header.
    if not whole and (named or gene_likeness(genes)[1] == "symbol"):
        return None
    return Found("htseq-counts", "two columns without a header: a gene and a number", sure=False)


def _is_folder(seen: Folder) -> Found | None:
    files = [f for f in seen.files if COUNT_FILE.search(f.name)]
    if not files or ("star_gene_counts" not in files[0].name and seen.detect(files[0]).kind != "htseq-counts"):
        return None
    star = sum("star_gene_counts" in f.name for f in files)
    if 0 < star < len(files):
        raise FormatError(
            f"STAR counts ({star}) and other count files ({len(files) - star}) lie together; read their folders apart.",
            path=seen.path,
        )
    kind = "gdc-star-counts" if star else "htseq-counts"
    return Found(kind, f"holds {len(files)} per-sample count files", details={"files": len(files)})


def _is_cart(seen: FirstLines) -> Found | None:
    known = seen.first.lstrip().startswith(("[", "{")) and not seen.first.startswith("[Not")
    return Found("gdc-cart", "JSON") if known else None


def _is_list_of_files(seen: Columns) -> Found | None:
    if {"id", "filename", "md5", "size"} <= set(seen.names):
        return Found("gdc-manifest", "the columns of a GDC manifest")
    if {"File ID", "File Name", "Sample ID"} <= set(seen.names):
        return Found("gdc-sample-sheet", "the columns of a GDC sample sheet")
    return None


READERS = (
    Reader(
        kinds=("gdc-star-counts", "htseq-counts"),
        read=counts,
        detect={FirstLines: _is_star, Rows: _is_htseq, Folder: _is_folder},
        origin="GDC (Genomic Data Commons)",
        title="STAR counts and HTSeq: a file, or a folder with one per sample",
        options={
            "units": "column of STAR files: " + ", ".join(STAR_UNITS),
            "metadata": "metadata cart or sample sheet, where it is in another folder",
        },
    ),
    Reader(
        kinds=("gdc-cart",),
        read=cart,
        detect={FirstLines: _is_cart},
        origin="GDC (Genomic Data Commons)",
        title="cart JSON of cases (clinical) or files (metadata)",
    ),
    Reader(
        kinds=("gdc-manifest", "gdc-sample-sheet"),
        read=manifest,
        detect={Columns: _is_list_of_files},
        origin="GDC (Genomic Data Commons)",
        title="manifest and sample sheet",
    ),
)
