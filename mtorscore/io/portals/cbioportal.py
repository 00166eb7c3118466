"""Study folders and files of cBioPortal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore.errors import DataWarning, FormatError, examples, warn
from mtorscore.io.formats.reader import FirstLines, Folder, Found, Reader
from mtorscore.io.portals.clinical_columns import patients
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.assembly import described
from mtorscore.io.tables.cell_text import holds_text
from mtorscore.io.tables.delimited import parse
from mtorscore.io.tables.matrix import from_grid

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["READERS", "is_zscore_file", "warn_zscores"]

_META = re.compile(r"^[a-z_]+: ?\S")


def meta_facts(path: Path) -> dict[str, str]:
    """Return the ``key: value`` lines of a meta file or case list."""
    facts = {}
    for number, line in enumerate(file_bytes.load(path).data.decode().split("\n"), 1):
        if not line.strip():
            continue
        key, colon, value = line.partition(":")
        if not colon:
            raise FormatError("a meta file has one `key: value` per line.", path=path, line=number)
        facts[key.strip()] = value.strip()
    return facts


def meta(path: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read a meta file (one observation) or a case list (one observation per sample)."""
    facts = meta_facts(path)
    accession = facts.get("cancer_study_identifier", "")
    if "case_list_ids" in facts:
        samples = list(dict.fromkeys(facts["case_list_ids"].split()))
        frame = pd.DataFrame({"case_list": facts.get("stable_id", "")}, index=range(len(samples)))
        return described(frame, samples, genes=False), {"accession": accession, "table": "samples"}
    frame = pd.DataFrame([facts])
    return described(frame, [facts.get("stable_id", path.stem)], genes=False), {"accession": accession, "table": "meta"}


def profiles(path: Path) -> dict[str, tuple[Path, dict[str, str]]]:
    """Return the expression profiles of a study folder: stable id -> data file, meta facts."""
    found = {}
    for file in sorted(path.glob("meta_*.txt")):
        facts = meta_facts(file)
        if facts.get("genetic_alteration_type", "").upper() != "MRNA_EXPRESSION":
            continue
        name = facts.get("data_filename") or file.name.replace("meta_", "data_", 1)
        if Path(name).name != name:
            raise FormatError(f"data_filename {name!r} is not the name of a file in the study folder.", path=file)
        found[facts.get("stable_id", file.stem)] = (path / name, facts)
    return found


def warn_zscores(name: str) -> None:
    """Warn that z-scores were made within a cohort."""
    warn(
        f"{name}: z-scores depend on the cohort (or the diploid samples) in which they were made; scores from them "
        "cannot be compared between cohorts. Prefer the expression profile.",
        DataWarning,
    )


def is_zscore_file(path: Path) -> bool:
    """Whether the name of a data file, or the meta file beside it, says that it holds z-scores."""
    if "zscore" in path.name.lower().replace("-", "").replace("_", ""):
        return True
    for file in path.parent.glob("meta_*.txt") if path.name.startswith("data_") else ():
        facts = meta_facts(file)
        if facts.get("data_filename", file.name.replace("meta_", "data_", 1)) == path.name:
            return facts.get("datatype", "").upper() == "Z-SCORE"
    return False


def study(path: Path, *, profile: str | None = None) -> tuple[AnnData, dict[str, Any]]:
    """Read a study folder: one expression profile with patient and sample tables joined, or the tables alone.

    Parameters
    ----------
    path
        The folder.
    profile
        ``stable_id`` of the expression profile; a profile of values is preferred over one of z-scores.
    """
    facts = meta_facts(path / "meta_study.txt") if (path / "meta_study.txt").exists() else {}
    known = profiles(path)
    if profile is not None and profile not in known:
        raise FormatError(f"there is no profile {profile!r}; there are {examples(sorted(known))}.", path=path)
    tables = _tables(path)
    made: dict[str, Any] = {"accession": facts.get("cancer_study_identifier", path.name), "profiles": sorted(known)}
    if not known:
        if tables is None:
            raise FormatError("a study without expression and without clinical tables.", path=path)
        return described(tables, [str(n) for n in tables.index], genes=False), made | {"table": "clinical"}
    ranked = sorted(known, key=lambda k: (known[k][1].get("datatype", "").upper() == "Z-SCORE", k))
    name = profile or ranked[0]
    file, about = known[name]
    if not file.exists():
        raise FormatError(f"the profile {name!r} should be in {file.name}, which is not in the folder.", path=path)
    content = file_bytes.load(file)
    grid = parse(content, delimiter="\t")
    adata, how = from_grid(grid, content, "matrix")
    zscore = about.get("datatype", "").upper() == "Z-SCORE"
    if zscore:
        warn_zscores(file.name)
    if tables is not None:
        unknown = [n for n in adata.obs_names if n not in tables.index]
        if unknown:
            warn(
                f"{len(unknown)} of {adata.n_obs} samples with expression are not in the clinical tables "
                f"({examples(unknown)}); their clinical columns are missing.",
                DataWarning,
            )
        joined = tables.reindex(adata.obs_names)
        for column in joined.columns:
            values = joined[column]
            text = holds_text(values)
            adata.obs[str(column)] = ["" if v is None or v != v else str(v) for v in values] if text else values
    made |= {"table": "matrix", "profile": name, "data_file": file.name, "orientation": how["orientation"]}
    return adata, made | {"units": "zscore" if zscore else "", "repairs": grid.repairs}


def _tables(path: Path) -> pd.DataFrame | None:
    """Return sample and patient tables joined, by sample where there is a sample table."""
    files = sorted(path.glob("data_clinical*.txt")) + sorted(path.glob("data_bcr_clinical*.txt"))
    frames = [patients(f) for f in files]
    samples = next((f for f in frames if "SAMPLE_ID" in f), None)
    people = next((f for f in frames if "SAMPLE_ID" not in f and "PATIENT_ID" in f), None)
    if samples is None or people is None:
        return samples if samples is not None else people
    extra = people.drop(columns=[c for c in people.columns if c in samples.columns])
    keys = samples["PATIENT_ID"].astype(str)
    position = extra.index.astype(str).get_indexer(pd.Index(keys))
    taken = extra.take(np.maximum(position, 0)).set_axis(samples.index)
    return samples.join(taken.where(pd.Series(position >= 0, index=samples.index), axis=0))


def _is_study(seen: Folder) -> Found | None:
    known = any(n.startswith("meta_") and n.endswith(".txt") for n in seen.names)
    return Found("cbioportal-study", "holds meta files of cBioPortal") if known else None


def _is_meta(seen: FirstLines) -> Found | None:
    head = [line for line in seen.lines[:40] if line.strip()]
    known = all(_META.match(n) for n in head) and any(n.startswith("cancer_study_identifier:") for n in head)
    return Found("cbioportal-meta", "key: value lines with cancer_study_identifier") if known else None


READERS = (
    Reader(
        kinds=("cbioportal-study",),
        read=study,
        detect={Folder: _is_study},
        origin="cBioPortal",
        title="study folder: one expression profile, joined with the tables of patients and samples",
        options={"profile": "`stable_id` of the expression profile"},
    ),
    Reader(
        kinds=("cbioportal-meta",),
        read=meta,
        detect={FirstLines: _is_meta},
        origin="cBioPortal",
        title="meta file or case list; other single files are read as tables",
    ),
)
