"""Random files of gene sets with known truth: what `SignatureCollection.read` makes of each is held against what it is.

``python -m benchmarks.reading.random_gene_sets 5000 [SEED]`` prints the seed, and for each kind of file how many were
right, refused although they have one reading, wrong, or accepted although they should be refused with a line.
"""

from __future__ import annotations

import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import mtorscore as mt
from benchmarks.reading.random_tables import ENTREZ, SYMBOLS
from mtorscore.errors import FormatError, MtorscoreError

__all__ = ["KINDS", "SetFile", "judge", "main", "make"]

Weights = dict[str, float]
PLAIN = [s for s in SYMBOLS if s.isalnum()]


@dataclass
class SetFile:
    """A file of gene sets; `truth` is set -> gene -> signed weight, empty where the file is to be refused."""

    kind: str
    name: str
    text: str
    truth: dict[str, Weights] = field(default_factory=dict)
    harmonised: bool = False


def _lists(rng: np.random.Generator, pool: Sequence[str] = PLAIN) -> dict[str, list[str]]:
    sizes = rng.integers(3, min(16, len(pool)), int(rng.integers(1, 7)))
    return {f"SET_{i}{'_TARGETS' if rng.random() < 0.2 else ''}": [str(g) for g in rng.permutation(pool)[:n]]
            for i, n in enumerate(sizes)}  # fmt: skip


def _plainly(lists: dict[str, list[str]]) -> dict[str, Weights]:
    return {name: dict.fromkeys(genes, 1.0) for name, genes in lists.items()}


def _signed(rng: np.random.Generator, lists: dict[str, list[str]]) -> dict[str, Weights]:
    return {n: {g: float(np.round(rng.choice([-1, 1]) * rng.uniform(0.1, 5), 3)) for g in genes}
            for n, genes in lists.items()}  # fmt: skip


def _description(rng: np.random.Generator) -> str:
    return str(rng.choice(["na", "", "from a paper", "http://set.example/1", "2019", "liver cancer, up"]))


def gmt(rng: np.random.Generator) -> SetFile:
    lists = _lists(rng)
    rows = [[n, _description(rng), *genes] + [""] * int(rng.integers(3)) for n, genes in lists.items()]
    end = str(rng.choice(["\n", "\r\n"]))
    return SetFile("GMT", "x.gmt", end.join("\t".join(r) for r in rows) + end, _plainly(lists))


def gmt_without_descriptions(rng: np.random.Generator) -> SetFile:
    lists = _lists(rng)
    text = "\n".join("\t".join([n, *genes]) for n, genes in lists.items())
    return SetFile("GMT without descriptions", "x.gmt", text + "\n", _plainly(lists))


def separated(rng: np.random.Generator) -> SetFile:
    sign = str(rng.choice([" ", ";", ", ", "|", "/", ","]))
    lists = _lists(rng)
    text = "\n".join(f"{n}\t{_description(rng)}\t{sign.join(genes)}" for n, genes in lists.items())
    return SetFile(f"GMT, genes separated by {sign!r}", "x.gmt", text + "\n", _plainly(lists))


def msigdbr(rng: np.random.Generator) -> SetFile:
    lists = _lists(rng, list(ENTREZ))
    columns = ["gs_cat", "gs_name", "gene_symbol", "entrez_gene", "ensembl_gene"]
    rows = [["H", n, g, ENTREZ[g], f"ENSG{i:011d}"] for n, genes in lists.items() for i, g in enumerate(genes)]
    # msigdbr repeats a symbol for each of its Ensembl ids.
    rows += [[*row[:4], "ENSG00000999999"] for row in rows[:2]]
    order = [int(i) for i in rng.permutation(len(columns))]
    tab = rng.random() < 0.5
    text = "\n".join(("\t" if tab else ",").join(r[i] for i in order) for r in [columns, *rows])
    return SetFile("msigdbr", "x.tsv" if tab else "x.csv", text + "\n", _plainly(lists))


def term_to_gene(rng: np.random.Generator) -> SetFile:
    lists = _lists(rng)
    header = [str(rng.choice(["term", "ont", "gs_name", "pathway", "geneset"])), str(rng.choice(["gene", "symbol"]))]
    rows = [[n, g] for n, genes in lists.items() for g in genes]
    rows = [rows[int(i)] for i in rng.permutation(len(rows))] if rng.random() < 0.3 else rows
    turned = rng.random() < 0.3
    delimiter = str(rng.choice([",", "\t", ";"]))
    text = "\n".join(delimiter.join(r[::-1] if turned else r) for r in [header, *rows])
    return SetFile("TERM2GENE", "x.tsv" if delimiter == "\t" else "x.csv", text + "\n", _plainly(lists))


def vision(rng: np.random.Generator) -> SetFile:
    truth = _signed(rng, _lists(rng))
    text = "\n".join("\t".join([n, "na", *(f"{g},{w}" for g, w in genes.items())]) for n, genes in truth.items())
    return SetFile("GMT with gene,weight", "x.gmt", text + "\n", truth)


def weighted(rng: np.random.Generator) -> SetFile:
    truth = _signed(rng, _lists(rng))
    names = [("source", "target", "weight"), ("source", "target", "mor"), ("signature", "gene", "weight")]
    header = names[int(rng.integers(3))]
    rows = [header, *((n, g, repr(w)) for n, genes in truth.items() for g, w in genes.items())]
    return SetFile("table with weights", "x.csv", "\n".join(",".join(r) for r in rows) + "\n", truth)


def one_weighted_list(rng: np.random.Generator) -> SetFile:
    genes = _signed(rng, {"x": next(iter(_lists(rng).values()))})["x"]
    text = "gene,weight\n" + "".join(f"{g},{w}\n" for g, w in genes.items())
    return SetFile("gene and weight alone", "x.csv", text, {"x": genes})


def identifiers(rng: np.random.Generator) -> SetFile:
    lists = _lists(rng, [g for g in ENTREZ if g not in ("TP53", "ALB")])
    how = str(rng.choice(["Entrez", "mouse symbols"]))
    written = {"Entrez": lambda g: ENTREZ[g], "mouse symbols": lambda g: g[0] + g[1:].lower()}[how]
    text = "\n".join("\t".join([n, "na", *map(written, genes)]) for n, genes in lists.items())
    return SetFile(f"members are {how}, harmonised", "x.gmt", text + "\n", _plainly(lists), harmonised=True)


def empty_set(rng: np.random.Generator) -> SetFile:
    rows = ["\t".join([n, "na", *genes]) for n, genes in _lists(rng).items()]
    rows.insert(int(rng.integers(len(rows) + 1)), "EMPTY\tna" + str(rng.choice(["", "\t", "\t\t"])))
    return SetFile("one empty set among others", "x.gmt", "\n".join(rows) + "\n")


FAULTS: dict[str, Callable[[str], str]] = {
    "an unknown key": lambda t: t + "wibble: 1\n",
    "a misspelt key": lambda t: t.replace("title:", "titel:"),
    "a repeated key": lambda t: t + "title: again\n",
    "a scalar for a list": lambda t: t.replace("cancers: [HCC]", "cancers: HCC"),
    "a scalar for genes": lambda t: t[: t.index("up:")] + "up: MTOR\n",
    "an octal weight": lambda t: t.replace("2.5", "010"),
    "a weight in another base": lambda t: t.replace("2.5", "0o17"),
    "an infinite weight": lambda t: t.replace("2.5", ".inf"),
    "a weight beyond double precision": lambda t: t.replace("2.5", "9.0e999"),
    "lists in lists": lambda t: t + f"remark: {'[' * 3000}{']' * 3000}\n",
    "aliases of aliases": lambda t: t + "a0: &a0 [x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]\n" for i in range(1, 12)),
}  # fmt: skip


def yaml_file(rng: np.random.Generator) -> SetFile:
    genes = [str(g) for g in rng.permutation(PLAIN)[:6]]
    lines = ["id: MINE", "title: Mine", "cancers: [HCC]", "up:", f"  {genes[0]}: 2.5", *(f"  {g}:" for g in genes[1:])]
    text = "\n".join(lines) + "\n"
    if rng.random() < 0.3:
        return SetFile("YAML", "x.yaml", text, {"MINE": dict.fromkeys(genes, 1.0) | {genes[0]: 2.5}})
    what = str(rng.choice(list(FAULTS)))
    return SetFile(f"YAML with {what}", "x.yaml", FAULTS[what](text))


KINDS: tuple[Callable[[np.random.Generator], SetFile], ...] = (
    gmt, gmt_without_descriptions, separated, msigdbr, term_to_gene, vision, weighted, one_weighted_list, identifiers,
    empty_set, yaml_file, yaml_file,
)  # fmt: skip


def make(seed: int, number: int) -> SetFile:
    """Make file `number` of a seed."""
    return KINDS[number % len(KINDS)](np.random.default_rng([seed, number, 5]))


def judge(case: SetFile, folder: Path) -> tuple[str, str]:
    """Return ``right``, ``refused``, ``wrong`` or ``accepted``, and why."""
    path = folder / case.name
    path.write_bytes(case.text.encode())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = mt.SignatureCollection.read(path)
            if case.harmonised:
                found, _ = found.rename_genes()
    except FormatError as error:
        if case.truth:
            return "refused", str(error)
        return ("right", "") if error.line is not None else ("wrong", f"no line: {error}")
    except (MtorscoreError, Exception):
        return "wrong", traceback.format_exc(limit=-2)
    got = {s.id: s.signed_weights() for s in found.signatures}
    if not case.truth:
        return "accepted", f"read as {got}"
    return ("right", "") if got == case.truth else ("wrong", f"{got}, not {case.truth}")


def main(arguments: Sequence[str] = ()) -> int:
    """Judge random files and print the shares of each kind; return how many are not right."""
    count = int(arguments[0]) if arguments else 600
    seed = int(arguments[1]) if len(arguments) > 1 else int(time.time())
    print(f"# seed {seed}, {count} files", flush=True)
    counts: dict[str, Counter[str]] = {}
    shown: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            case = make(seed, number)
            outcome, why = judge(case, Path(folder))
            counts.setdefault(case.kind, Counter())[outcome] += 1
            if outcome != "right":
                shown.setdefault(case.kind, f"file {number}: {outcome}: {why}")
    print("kind\tfiles\tright\trefused\twrong\taccepted")
    total = sum(counts.values(), Counter())
    for kind, c in [*sorted(counts.items()), ("all", total)]:
        print(f"{kind}\t{c.total()}\t" + "\t".join(str(c[o]) for o in ("right", "refused", "wrong", "accepted")))
    for kind, why in sorted(shown.items()):
        print(f"# {kind}: {' '.join(why.split())[:400]}", file=sys.stderr)
    return total.total() - total["right"]


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
