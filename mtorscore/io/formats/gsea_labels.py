"""Phenotypes (CLS), rankings (RNK) and the checks that GSEA's text files share."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore._atomic import atomic_text
from mtorscore.errors import DataError, FormatError, examples
from mtorscore.io.tables.assembly import repeated
from mtorscore.io.tables.cell_text import is_number

__all__ = ["check_names", "class_of_label", "numbers", "read_cls", "read_lines", "read_rnk", "write_cls", "write_rnk"]


def write_cls(
    labels: pd.Series | pd.DataFrame | Sequence[Any], path: str | Path, *, continuous: bool | None = None
) -> Path:
    """Write a phenotype as CLS, in the order of the GCT's observations.

    Parameters
    ----------
    labels
        One label per observation, or numbers (one profile, or a DataFrame of several) for a continuous phenotype.
    path
        The file.
    continuous
        Write ``#numeric``; by default where the labels are floating-point numbers.

    Returns
    -------
    pathlib.Path
        The file written. Classes are named in their order of appearance, as GSEA numbers them.

    Raises
    ------
    DataError
        If a label is missing, holds a blank, or there are fewer than two classes.
    """
    frame = labels if isinstance(labels, pd.DataFrame) else pd.Series(labels).to_frame()
    if continuous is None:
        continuous = all(pd.api.types.is_float_dtype(frame[c]) for c in frame)
    if frame.isna().to_numpy().any():
        raise DataError(f"{int(frame.isna().to_numpy().sum())} label(s) are missing; drop those observations first.")
    if continuous:
        text = ["#numeric"]
        for i, column in enumerate(frame):
            text += [f"#{column if isinstance(column, str) else f'profile_{i + 1}'}"]
            text += [" ".join(repr(float(v)) for v in frame[column])]
    else:
        if frame.shape[1] != 1:
            raise DataError("A categorical CLS holds one phenotype; give one column.")
        values = [str(v) for v in frame.iloc[:, 0]]
        classes = list(dict.fromkeys(values))
        blank = [c for c in classes if not c or any(ch.isspace() for ch in c)]
        if blank:
            raise DataError(f"CLS separates by blanks, so {examples(blank)} cannot be a class name; use underscores.")
        if len(classes) < 2:
            raise DataError(f"A CLS phenotype needs two classes or more; all labels are {examples(classes)}.")
        text = [f"{len(values)} {len(classes)} 1", "# " + " ".join(classes), " ".join(values)]
    with atomic_text(path) as file:
        file.write("\n".join(text) + "\n")
    return Path(path)


def read_cls(path: str | Path) -> pd.Series | pd.DataFrame:
    """Read a CLS phenotype.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    pandas.Series or pandas.DataFrame
        A categorical phenotype as a Series of class names; a continuous one as a DataFrame, one column a profile.

    Raises
    ------
    FormatError
        If the counts of the first line are not what the file holds.
    """
    file = Path(path)
    lines = [line.strip() for line in read_lines(file) if line.strip()]
    if not lines:
        raise FormatError("The file is empty.", path=file)
    if lines[0].lower() == "#numeric":
        if len(lines) % 2 == 0 or len(lines) < 3:
            raise FormatError("A continuous CLS has a line #NAME and a line of numbers per profile.", path=file)
        profiles = {
            lines[i].removeprefix("#").strip(): numbers(lines[i + 1].split(), file, i + 2)
            for i in range(1, len(lines), 2)
        }
        if len({len(v) for v in profiles.values()}) > 1:
            raise FormatError("The profiles have different numbers of values.", path=file)
        return pd.DataFrame(profiles)
    head = lines[0].split()
    if len(lines) != 3 or len(head) != 3 or not all(h.isdigit() for h in head) or not lines[1].startswith("#"):
        raise FormatError("A CLS has three lines: counts, class names after #, and labels.", path=file, line=1)
    classes = lines[1].removeprefix("#").split()
    labels = lines[2].split()
    if len(labels) != int(head[0]) or len(classes) != int(head[1]):
        raise FormatError(
            f"The first line promises {head[0]} labels and {head[1]} classes; there are {len(labels)} and "
            f"{len(classes)}.",
            path=file,
            line=1,
        )
    seen = list(dict.fromkeys(labels))
    if len(seen) != len(classes):
        raise FormatError(f"{len(classes)} classes are named, but the labels hold {len(seen)}.", path=file, line=3)
    meaning = class_of_label(labels, classes)
    return pd.Series([meaning[label] for label in labels], name="phenotype")


def class_of_label(labels: Sequence[str], classes: Sequence[str]) -> dict[str, str]:
    """Return label of a CLS file's third line -> class of its second.

    Labels that are the classes' names mean themselves. Whole numbers from 0 or from 1 count the classes, as the
    programs that write them mean it; GSEA's guide would have the first label met be the first class, which is the same
    unless the observations are in another order. Any other labels follow the guide.

    Parameters
    ----------
    labels
        One per observation, at most as many different ones as there are classes.
    classes
        In the order of the second line.

    Returns
    -------
    dict
        For every label.
    """
    seen = list(dict.fromkeys(labels))
    if set(seen) <= set(classes):
        return {label: label for label in seen}
    if all(label.isdigit() for label in seen):
        numbered = [int(label) for label in seen]
        base = 0 if min(numbered) == 0 else 1
        if max(numbered) - base < len(classes) and len(set(numbered)) == len(seen):
            return {label: classes[int(label) - base] for label in seen}
    return dict(zip(seen, classes, strict=False))


def write_rnk(ranking: pd.Series, path: str | Path) -> Path:
    """Write a ranked list as RNK: gene and score, separated by a tab, without a header.

    Parameters
    ----------
    ranking
        Gene -> score, in the order in which it should be written.
    path
        The file.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    DataError
        If a gene is duplicated or a score is not finite.
    """
    scores = ranking.to_numpy(dtype=np.float64)
    genes = [str(g) for g in ranking.index]
    check_names(genes, "gene")
    bad = [g for g, v in zip(genes, scores, strict=True) if not np.isfinite(v)]
    if bad:
        raise DataError(f"{len(bad)} score(s) are not finite ({examples(bad)}); drop those genes first.")
    with atomic_text(path) as file:
        file.writelines(f"{g}\t{v!r}\n" for g, v in zip(genes, scores.tolist(), strict=True))
    return Path(path)


def read_rnk(path: str | Path) -> pd.Series:
    """Read a ranked list.

    Parameters
    ----------
    path
        The file; lines that begin with # are comments.

    Returns
    -------
    pandas.Series
        Gene -> score (float64), in file order.

    Raises
    ------
    FormatError
        If a line is not gene and number, or a gene is duplicated.
    """
    file = Path(path)
    scores: dict[str, float] = {}
    for number, line in enumerate(read_lines(file), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.rstrip().split("\t")
        if len(fields) != 2:
            raise FormatError("An RNK line is gene and score, separated by a tab.", path=file, line=number)
        if fields[0] in scores:
            raise FormatError(f"The gene {fields[0]} is duplicated; keep one score.", path=file, line=number)
        scores[fields[0]] = float(numbers(fields[1:], file, number)[0])
    if not scores:
        raise FormatError("The file ranks no gene.", path=file)
    return pd.Series(scores, name="score", dtype=np.float64)


def check_names(names: Sequence[str], what: str) -> None:
    """Refuse names that are absent, repeated, empty, or hold a tab or line break."""
    if not names:
        raise DataError(f"There is no {what} to write.")
    if twice := repeated(names):
        raise DataError(f"{len(twice)} {what} name(s) are duplicated ({examples(twice)}); make them unique first.")
    bad = [n for n in names if not n.strip() or "\t" in n or "\n" in n or "\r" in n]
    if bad:
        raise DataError(
            f"{len(bad)} {what} name(s) are empty or hold a tab or line break ({examples(map(repr, bad))})."
        )


def numbers(fields: Sequence[str], path: Path, line: int) -> npt.NDArray[np.float64]:
    """Return fields as numbers, blank ones as NaN; a `FormatError` names the first that is none."""
    try:
        return np.array([float(f) if f.strip() else np.nan for f in fields], dtype=np.float64)
    except ValueError:
        bad = next(f for f in fields if f.strip() and not is_number(f))
        raise FormatError(f"{bad!r} is no number.", path=path, line=line) from None


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file, gzipped or not, whatever its line ends."""
    if not path.exists():
        raise FormatError("There is no such file.", path=path)
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        text = raw.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise FormatError(f"The file cannot be read as text ({error}).", path=path) from error
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
