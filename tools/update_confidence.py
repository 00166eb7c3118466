"""Put the confidence that the readout benchmark measured into the signature files.

Usage: python tools/update_confidence.py [TABLE.tsv] [--library signatures]

Only the `confidence` of a file is written; comments and everything else stay. Confounders and context have none.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from mtorscore._atomic import write_whole
from mtorscore.collection.entries import CONFOUNDER
from mtorscore.collection.yaml_text import Loader, dump

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "benchmarks" / "readout" / "tables" / "confidence.tsv"


def sentence(row: Mapping[str, str]) -> str:
    """Return the text of a row of the benchmark's table."""
    studies = f"{row['studies']} perturbation stud{'y' if row['studies'] == '1' else 'ies'}"
    counts = f"{row['as_expected']} as expected, {row['opposed']} opposed, {row['unclear']} unclear"
    return f"{row['confidence']}; {studies}: {counts}"


def with_confidence(text: str, confidence: str) -> str:
    """Return the text of a signature file with another confidence, before the caveat where there was none."""
    pairs = {key.value: (key, value) for key, value in yaml.compose(text, Loader=Loader).value}
    line = dump({"confidence": confidence}).rstrip("\n")
    if "confidence" in pairs:
        key, value = pairs["confidence"]
        return text[: key.start_mark.index] + line + text[value.end_mark.index :]
    start = pairs["caveat"][0].start_mark.index
    return f"{text[:start]}{line}\n{text[start:]}"


def main() -> None:
    """Write the files whose confidence changed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", type=Path, nargs="?", default=TABLE)
    parser.add_argument("--library", type=Path, default=ROOT / "signatures", help="folder of signature files")
    arguments = parser.parse_args()
    with arguments.table.open(encoding="utf-8", newline="") as file:
        measured = {row["signature"]: sentence(row) for row in csv.DictReader(file, delimiter="\t")}
    changed = 0
    for path in sorted(arguments.library.glob("*/*.yaml")):
        if path.stem not in measured or path.parent.name in (CONFOUNDER, "context"):
            continue
        old = path.read_text(encoding="utf-8")
        new = with_confidence(old, measured[path.stem])
        if new != old:
            write_whole(path, new)
            changed += 1
    sys.stdout.write(f"{changed} file(s) changed\n")


if __name__ == "__main__":
    main()
