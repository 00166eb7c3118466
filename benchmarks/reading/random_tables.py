# ruff: noqa: E501
"""Random tables with known truth: what `read` makes of each is held against what it is.

``python -m benchmarks.reading.random_tables 20000 [SEED] [SECONDS]`` prints the seed, and for each kind of table how
many were right, refused although they have one reading, wrong, or accepted although they should be refused.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

import mtorscore as mt
from mtorscore.errors import MtorscoreError

__all__ = ["KINDS", "Case", "judge", "main", "make"]

SYMBOLS = [
    "A1BG",
    "A2M",
    "AKT1",
    "AKT2",
    "MTOR",
    "RPTOR",
    "RICTOR",
    "RHEB",
    "TSC1",
    "TSC2",
    "PTEN",
    "EIF4E",
    "EIF4EBP1",
    "RPS6",
    "RPS6KB1",
    "SREBF1",
    "SREBF2",
    "HMGCR",
    "LDLR",
    "FASN",
    "SCD",
    "HK2",
    "LDHA",
    "PDK1",
    "VEGFA",
    "SLC2A1",
    "MYC",
    "CCND1",
    "TP53",
    "GAPDH",
    "ACTB",
    "ALB",
    "GPC3",
    "DEPTOR",
    "MLST8",
    "ULK1",
    "TFEB",
    "FOXO1",
    "FOXO3",
    "IRS1",
    "IGF1R",
    "INSR",
    "DDIT4",
    "SESN2",
    "HIF1A",
    "PPARG",
    "CDKN1A",
    "BCL2L1",
    "MKI67",
    "TOP2A",
    "CD8A",
    "CD3E",
    "COL1A1",
    "KRT19",
    "EPCAM",
    "SOX9",
    "NOTCH1",
    "CTNNB1",
    "AXIN2",
]
MOUSE = [s[0] + s[1:].lower() for s in SYMBOLS]
SAMPLE_STYLES: tuple[Callable[[int], list[str]], ...] = (
    lambda n: [f"HCC{i + 1}" for i in range(n)],
    lambda n: [f"HB{i + 1}" for i in range(n)],
    lambda n: [f"CCA{i + 1}" for i in range(n)],
    lambda n: [f"{'TN'[i % 2]}{i // 2 + 1}" for i in range(n)],
    lambda n: [f"GSM{5000 + 7 * i}" for i in range(n)],
    lambda n: [f"TCGA-ZZ-{i:04d}-01A" for i in range(n)],
    lambda n: [f"LC{i // 2 + 1:02d}{'TN'[i % 2]}" for i in range(n)],
    lambda n: [f"{['NL', 'TL', 'TC'][i % 3]}{i // 3 + 1}" for i in range(n)],
    lambda n: [f"{['HepG2', 'Huh7', 'Hep3B'][i % 3]}_rep{i // 3 + 1}" for i in range(n)],
    lambda n: [f"patient {i + 1}" for i in range(n)],
    lambda n: [f"{'C' if i < n // 2 else 'T'}{i % (n // 2 or 1) + 1}" for i in range(n)] if n % 2 == 0 else [f"S{i}" for i in range(n)],
    lambda n: [f"Control_{i + 1}" if i % 2 else f"Rapamycin_{i + 1}" for i in range(n)],
)  # fmt: skip
Table = list[list[str]]


@dataclass
class Case:
    """One random table.

    Attributes
    ----------
    kind, name, data
        What it is, the name of its file and the bytes of it.
    truth
        ``"matrix"``, ``"symbols"``, ``"refused"``, ``"no matrix"``, ``"clinical"``, ``"warns"`` or ``"scale"``.
    samples, genes, values
        What is right; values are samples x genes.
    word
        What the warning must say, or the scale be.
    """

    kind: str
    name: str
    data: bytes
    truth: str
    samples: list[str] = field(default_factory=list)
    genes: list[str] = field(default_factory=list)
    values: npt.NDArray[np.float64] | None = None
    word: str = ""


def _write(rng: np.random.Generator, rows: Table, *, plain: bool = False, number: str = ".") -> tuple[str, bytes]:
    """Return a file name and bytes in a random delimiter, quoting, decimal mark, encoding, line end and compression."""
    delimiter = str(rng.choice(["\t", ",", ";"])) if not plain else "\t"
    comma = not plain and delimiter != "," and rng.random() < 0.15 and number == "."
    quoted = rng.random() < 0.2
    texts = []
    for at, row in enumerate(rows):
        cells = []
        for i, cell in enumerate(row):
            text = cell.replace(".", ",") if comma and at and i and _is_number(cell) else cell
            cells.append(f'"{text}"' if (quoted and not _is_number(cell)) or delimiter in text else text)
        texts.append(delimiter.join(cells))
    end = str(rng.choice(["\n", "\n", "\r\n"]))
    text = end.join(texts) + (end if rng.random() < 0.8 else "")
    if not plain and rng.random() < 0.1:
        text = f"# written by a script, in March{end}" + text
    data = text.encode(str(rng.choice(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16"])))
    name = {"\t": "t.tsv", ",": "t.csv", ";": "t.csv"}[delimiter]
    return (name + ".gz", gzip.compress(data)) if rng.random() < 0.1 else (name, data)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _values(rng: np.random.Generator, n: int, g: int) -> npt.NDArray[np.float64]:
    scale = rng.integers(0, 3)
    if scale == 0:
        x = np.round(rng.normal(7, 2, (n, g)), 3)
    elif scale == 1:
        x = rng.negative_binomial(2, 0.01, (n, g)).astype(float)
    else:
        x = np.round(rng.gamma(2, 30, (n, g)), 3)
    x = np.abs(x)
    if rng.random() < 0.3:
        x[rng.random((n, g)) < 0.03] = np.nan
    x[0, 0] = 5.5
    return x


def _cells(rng: np.random.Generator, x: npt.NDArray[np.float64]) -> list[list[str]]:
    missing = str(rng.choice(["NA", "", "NaN", "N/A", "null"]))
    return [[missing if v != v else (str(int(v)) if v == int(v) else repr(float(v))) for v in row] for row in x]


def _genes(rng: np.random.Generator, g: int) -> list[str]:
    return [str(s) for s in rng.permutation(SYMBOLS)[:g]]


def _samples(rng: np.random.Generator, n: int) -> list[str]:
    return SAMPLE_STYLES[int(rng.integers(len(SAMPLE_STYLES)))](n)


def _matrix(
    rng: np.random.Generator,
    kind: str,
    ids: list[str],
    samples: list[str],
    *,
    key: str | None = None,
    rows: str = "genes",
    extra: Sequence[tuple[int, str, list[str]]] = (),
    genes: list[str] | None = None,
    truth: str = "matrix",
    word: str = "",
    plain: bool = False,
) -> Case:
    """Make a table of values; `extra` columns are ``(place, name, cells)``, place -1 for the end."""
    x = _values(rng, len(samples), len(ids))
    shown = x.T if rows == "genes" else x
    header, names = (samples, ids) if rows == "genes" else (ids, samples)
    if key is None:
        choices = ["gene", "", "Gene Symbol", "gene_id"] if rows == "genes" else ["sample", "", "ID", "patient"]
        key = str(rng.choice(choices))
    table = [[key, *header], *([n, *c] for n, c in zip(names, _cells(rng, shown), strict=True))]
    for place, name, cells in extra:
        for row, cell in zip(table, [name, *cells], strict=True):
            row.insert(place if place >= 0 else len(row), cell)
    name, data = _write(rng, table, plain=plain)
    return Case(kind, name, data, truth, samples, genes or ids, x, word)


def _sizes(rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(3, 13)), int(rng.integers(12, 56))


def plain(rng: np.random.Generator) -> Case:
    n, g = _sizes(rng)
    return _matrix(rng, "genes in rows", _genes(rng, g), _samples(rng, n))


def transposed(rng: np.random.Generator) -> Case:
    n, g = _sizes(rng)
    return _matrix(rng, "samples in rows", _genes(rng, g), _samples(rng, n), rows="samples")


def ensembl(rng: np.random.Generator) -> Case:
    n, g = _sizes(rng)
    ids = [f"ENSG{int(i):011d}" + (".3" if rng.random() < 0.5 else "") for i in rng.choice(200_000, g, replace=False)]
    return _matrix(rng, "Ensembl ids", ids, _samples(rng, n), rows=str(rng.choice(["genes", "samples"])))


def unknown_ids(rng: np.random.Generator) -> Case:
    n, g = _sizes(rng)
    stem = str(rng.choice(["uc{:05d}aaa.1", "contig_{:05d}", "XLOC_{:06d}", "CUFF.{}", "Tx{:04d}x"]))
    return _matrix(rng, "unknown ids, samples of the field", [stem.format(100 + i) for i in range(g)], _samples(rng, n))


def spots(rng: np.random.Generator) -> Case:
    n, g = _sizes(rng)
    start = int(rng.choice([0, 1, 1000]))
    return _matrix(rng, "spot numbers", [str(start + i) for i in range(g)], _samples(rng, n), key="id")


def numbers_beside_symbols(rng: np.random.Generator) -> Case:
    n, g = _sizes(rng)
    genes = _genes(rng, g)
    numbers = [
        str(int(i)) for i in (np.arange(1, g + 1) if rng.random() < 0.6 else np.sort(rng.choice(900, g, False)) + 1)
    ]
    name = str(rng.choice(["GENE_SYMBOL", "symbol", "Gene.symbol", "Symbol", "gene_name"]))
    extra = [(int(rng.choice([-1, 1])), name, genes)]
    return _matrix(
        rng,
        "numbers beside symbols",
        numbers,
        _samples(rng, n),
        key="ID_REF",
        extra=extra,
        genes=genes,
        truth="symbols",
    )


def probes_beside_symbols(rng: np.random.Generator) -> Case:
    n, g = _sizes(rng)
    genes = _genes(rng, g)
    name = str(rng.choice(["GENE_SYMBOL", "symbol", "Gene.symbol", "Symbol", "gene_name"]))
    ids = [f"{200000 + i}{'_s' if i % 3 else ''}_at" for i in range(g)]
    return _matrix(
        rng,
        "probes beside symbols",
        ids,
        _samples(rng, n),
        key="ID",
        extra=[(-1, name, genes)],
        genes=genes,
        truth="symbols",
    )


def numbers_alone(rng: np.random.Generator) -> Case:
    n, g = _sizes(rng)
    case = _matrix(
        rng, "numbers alone are no genes", [str(i + 1) for i in range(max(g, 20))], _samples(rng, n), key="ID_REF"
    )
    case.truth = "not harmonised"
    return case


def patient_numbers(rng: np.random.Generator) -> Case:
    n, g = int(rng.integers(15, 40)), int(rng.integers(20, 56))
    start = int(rng.choice([1, 100, 1000, 1990]))
    key = str(rng.choice(["patient", "id", "sample", "ID", "case", "year"]))
    return _matrix(
        rng, "patient numbers in rows", _genes(rng, g), [str(start + i) for i in range(n)], key=key, rows="samples"
    )


def filtered_index(rng: np.random.Generator) -> Case:
    n, g = int(rng.integers(15, 40)), int(rng.integers(20, 56))
    ids = [str(int(i)) for i in np.sort(rng.choice(400, n, replace=False))]
    return _matrix(rng, "index of a filtered frame", _genes(rng, g), ids, key="", rows="samples")


ENTREZ = {
    "MTOR": "2475", "AKT1": "207", "PTEN": "5728", "TP53": "7157", "MYC": "4609", "EGFR": "1956", "ALB": "213",
    "TSC1": "7248", "TSC2": "7249", "RHEB": "6009", "RPTOR": "57521", "RICTOR": "253260", "VEGFA": "7422", "HIF1A": "3091",
    "FASN": "2194", "SCD": "6319", "LDLR": "3949", "HMGCR": "3156", "RPS6": "6194", "EIF4E": "1977",
}  # fmt: skip


def entrez(rng: np.random.Generator) -> Case:
    n, _ = _sizes(rng)
    genes = [str(s) for s in rng.permutation(list(ENTREZ))[:15]]
    style = str(rng.choice(["{}", "{}_at", "GeneID:{}", "hsa:{}", "ENTREZID:{}", "{}.0"]))
    ids = [style.format(ENTREZ[s]) for s in genes]
    key = str(rng.choice(["gene_id", "entrez", "", "Entrez_Gene_Id"]))
    return _matrix(rng, f"Entrez ids ({style})", ids, _samples(rng, n), key=key, genes=genes, truth="symbols")


def prefixed(rng: np.random.Generator) -> Case:
    n, g = _sizes(rng)
    genes = _genes(rng, g)
    style = str(
        rng.choice(
            ["MSTRG.{i}|{s}", "GRCh38_{s}", "hg38_{s}", "STRG.{i}.1|{s}", "GRCh38______{s}", "gene:{s}", "hg19:{s}"]
        )
    )
    ids = [style.format(i=i, s=s) for i, s in enumerate(genes)]
    return _matrix(rng, f"prefix ({style})", ids, _samples(rng, n), key="gene_id", genes=genes, truth="symbols")


def mouse_symbols(rng: np.random.Generator) -> Case:
    n, g = _sizes(rng)
    genes = [str(s) for s in rng.permutation([m for m in MOUSE if m != m.upper()])[:g]]
    return _matrix(rng, "mouse symbols", genes, _samples(rng, n), truth="warns", word="mouse")


def headerless(rng: np.random.Generator) -> Case:
    n, g = _sizes(rng)
    x = _values(rng, max(n, 3), g)
    cells = _cells(rng, x.T)
    if rng.random() < 0.5:
        cells[0][0] = "NA"
    name, data = _write(rng, [[s, *c] for s, c in zip(_genes(rng, g), cells, strict=True)])
    return Case("no header", name, data, "refused")


def htseq_with_names(rng: np.random.Generator) -> Case:
    g = int(rng.integers(15, 50))
    counts = rng.integers(0, 900, g)
    ids = [f"ENSG{int(i):011d}" for i in rng.choice(200_000, g, replace=False)]
    rows = [[i, s, str(int(c))] for i, s, c in zip(ids, _genes(rng, g), counts, strict=True)]
    data = "\n".join("\t".join(r) for r in rows) + "\n"
    return Case(
        "HTSeq with gene names", "S1.htseq.counts.txt", data.encode(), "matrix", [], ids, counts[None, :].astype(float)
    )


def long(rng: np.random.Generator) -> Case:
    n, g = int(rng.integers(3, 8)), int(rng.integers(12, 50))
    genes, samples = _genes(rng, g), _samples(rng, n)
    if rng.random() < 0.3:
        samples = [f"{i + 1:03d}" for i in range(n)]
    x = np.round(rng.gamma(2, 30, (n, g)), 3)
    rows = [[s, gene, repr(float(x[i, j]))] for i, s in enumerate(samples) for j, gene in enumerate(genes)]
    if rng.random() < 0.3:
        rows = [rows[i] for i in rng.permutation(len(rows))]
    head = [
        str(rng.choice(["sample", "sample_id", "patient"])),
        str(rng.choice(["gene", "gene_symbol", "symbol"])),
        str(rng.choice(["expression", "tpm", "value", "count"])),
    ]
    order = [int(i) for i in rng.permutation(3)]
    name, data = _write(rng, [[r[i] for i in order] for r in [head, *rows]])
    return Case("long table", name, data, "matrix", samples, genes, x)


TOOLS = {
    "Seurat": ["p_val", "avg_log2FC", "pct.1", "pct.2", "p_val_adj"],
    "Seurat 3": ["p_val", "avg_logFC", "pct.1", "pct.2", "p_val_adj"],
    "scanpy": ["scores", "logfoldchanges", "pvals", "pvals_adj"],
    "DESeq2": ["baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj"],
    "edgeR": ["logFC", "logCPM", "LR", "PValue", "FDR"],
    "edgeR QL": ["logFC", "logCPM", "F", "PValue", "FDR"],
    "limma": ["logFC", "AveExpr", "t", "P.Value", "adj.P.Val", "B"],
    "GEO2R": ["adj.P.Val", "P.Value", "t", "B", "logFC"],
    "sleuth": ["pval", "qval", "b", "se_b", "mean_obs", "var_obs", "tech_var", "sigma_sq", "smooth_sigma_sq"],
    "Cuffdiff": ["value_1", "value_2", "log2(fold_change)", "test_stat", "p_value", "q_value"],
    "snake case": ["log2fc", "p_value", "adj_p_value"],
    "by hand": ["Fold Change", "P value", "FDR q-value"],
}


def contrast(rng: np.random.Generator) -> Case:
    tool = str(rng.choice(list(TOOLS)))
    g = int(rng.integers(12, 50))
    rows = [[s, *(repr(float(v)) for v in np.round(rng.random(len(TOOLS[tool])), 4))] for s in _genes(rng, g)]
    if tool == "DESeq2" and rng.random() < 0.4:
        text = " ".join(TOOLS[tool]) + "\n" + "".join(" ".join(r) + "\n" for r in rows)
        return Case("DESeq2, separated by blanks", "t.txt", text.encode(), "no matrix")
    name, data = _write(rng, [[str(rng.choice(["", "gene", "names"])), *TOOLS[tool]], *rows])
    return Case(f"contrasts of {tool}", name, data, "no matrix")


def laboratory(rng: np.random.Generator) -> Case:
    n, g = int(rng.integers(12, 30)), int(rng.integers(20, 50))
    genes = [s for s in _genes(rng, g) if s != "ALB"]
    samples = [f"TCGA-ZZ-{i:04d}" for i in range(n)]
    words = [
        str(w)
        for w in rng.permutation(
            ["AFP", "ALT", "AST", "CEA", "bilirubin", "albumin", "GGT", "tumor_size", "riskScore"]
        )[:4]
    ]
    x = np.round(rng.normal(7, 2, (n, len(genes))), 3)
    clinical = [[str(int(rng.integers(30, 3000))), str(int(rng.integers(2)))] for _ in range(n)]
    labs = [[str(int(v)) for v in rng.integers(20, 20000, len(words))] for _ in range(n)]
    rows = [[s, *c, *m, *map(repr, map(float, r))] for s, c, m, r in zip(samples, clinical, labs, x, strict=True)]
    name, data = _write(rng, [["id", "futime", "fustat", *words, *genes], *rows])
    return Case("laboratory values among genes", name, data, "matrix", samples, genes, x)


def odd_column(rng: np.random.Generator) -> Case:
    n, g = _sizes(rng)
    what = str(rng.choice(["percent", "date", "time"]))
    genes, samples = _genes(rng, g), _samples(rng, n)
    cells = _cells(rng, _values(rng, n, g).T)
    odd = {"percent": "{}.3%", "date": "2021-03-{:02d}", "time": "{:02d}:30"}[what]
    for i, row in enumerate(cells):
        row[-1] = odd.format(i % 24 + 1)
    name, data = _write(rng, [["gene", *samples], *([s, *c] for s, c in zip(genes, cells, strict=True))], number="")
    return Case(f"a column of {what}", name, data, "refused")


OTHER: dict[str, tuple[str, str]] = {
    "MAF": ("t.maf", "Hugo_Symbol\tEntrez_Gene_Id\tCenter\tNCBI_Build\tChromosome\tStart_Position\tEnd_Position\tVariant_Classification\tReference_Allele\tTumor_Seq_Allele2\tTumor_Sample_Barcode\n" + "".join(f"{s}\t{i + 1}\tx\t38\tchr{i % 20 + 1}\t{100 + i}\t{101 + i}\tMissense_Mutation\tA\tG\tTCGA-ZZ-{i:04d}-01A\n" for i, s in enumerate(SYMBOLS))),
    "SEG": ("t.seg", "ID\tchrom\tloc.start\tloc.end\tnum.mark\tseg.mean\n" + "".join(f"HCC{i % 5 + 1}\t{i % 20 + 1}\t{1000 * i + 1}\t{1000 * i + 900}\t{i + 3}\t{0.01 * i - 0.2:.3f}\n" for i in range(60))),
    "GISTIC": ("all_data_by_genes.txt", "Gene Symbol\tLocus ID\tCytoband\tHCC1\tHCC2\tHCC3\n" + "".join(f"{s}\t{i + 1}\t1p36.{i}\t0.1\t-0.{i % 9}\t0.3\n" for i, s in enumerate(SYMBOLS))),
    "BED": ("t.bed", "".join(f"chr{i % 20 + 1}\t{100 * i}\t{100 * i + 50}\t{s}\t0\t+\n" for i, s in enumerate(SYMBOLS))),
    "BED with header": ("t.txt", "chrom\tstart\tend\tname\tscore\tstrand\n" + "".join(f"{i % 20 + 1}\t{100 * i}\t{100 * i + 50}\t{s}\t0\t+\n" for i, s in enumerate(SYMBOLS))),
    "VCF-like": ("t.txt", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n" + "".join(f"{i % 20 + 1}\t{100 * i}\trs{i}\tA\tG\t50\tPASS\tDP=3\n" for i in range(40))),
    "ranked list": ("t.rnk", "".join(f"{s}\t{2 - 0.07 * i:.3f}\n" for i, s in enumerate(SYMBOLS))),
    "featureCounts summary": ("t.summary", "Status\ta.bam\tb.bam\n" + "".join(f"{s}\t{i * 100}\t{i * 90}\n" for i, s in enumerate(["Assigned", "Unassigned_Unmapped", "Unassigned_MultiMapping", "Unassigned_NoFeatures", "Unassigned_Ambiguity"]))),
    "gene sets": ("t.txt", "SET_A\tdescription\t" + "\t".join(SYMBOLS[:9]) + "\nSET_B\tdescription\t" + "\t".join(SYMBOLS[9:25]) + "\n"),
}  # fmt: skip


def other_file(rng: np.random.Generator) -> Case:
    what = str(rng.choice(list(OTHER)))
    name, text = OTHER[what]
    return Case(what, name, text.encode(), "refused")


ID_STYLES: dict[str, Callable[[int], str]] = {
    "001": lambda i: f"{i + 1:03d}",
    "1.10": lambda i: f"{i + 1}.10",
    "1E0": lambda i: f"{i + 1}E0",
    "20 digits": lambda i: f"9{i:019d}",
    "NA among others": lambda i: "NA" if i == 1 else f"HCC{i}",
    "point": lambda i: "." if i == 1 else f"HCC{i}",
}


def text_ids(rng: np.random.Generator) -> Case:
    style = str(rng.choice(list(ID_STYLES)))
    n, g = _sizes(rng)
    rows = str(rng.choice(["genes", "samples"]))
    key = None if rows == "genes" else str(rng.choice(["sample", "patient"]))
    samples = [ID_STYLES[style](i) for i in range(n)]
    return _matrix(
        rng, f"sample ids as text ({style})", _genes(rng, max(g, 20)), samples, rows=rows, key=key or "gene", plain=True
    )


def clinical_ids(rng: np.random.Generator) -> Case:
    style = str(rng.choice([s for s in ID_STYLES if s != "point"]))
    n = int(rng.integers(5, 30))
    ids = [ID_STYLES[style](i) for i in range(n)]
    times = rng.integers(10, 3000, n)
    word = str(rng.choice(["NA", "n.d.", "N.A.", "MISSING", "not done", "unknown", "na", "ND"]))
    key = str(rng.choice(["patient", "sample", "patient_id", ""]))
    at = int(rng.integers(n))
    cells = [word if i == at else str(int(t)) for i, t in enumerate(times)]
    table = [
        [key, "OS.time", "OS", "age"],
        *([p, t, str(i % 2), str(40 + i)] for i, (p, t) in enumerate(zip(ids, cells, strict=True))),
    ]
    name, data = _write(rng, table, plain=True)
    x = np.array([np.nan if i == at else float(t) for i, t in enumerate(times)])
    return Case(f"clinical ids ({style})", name, data, "clinical", ids, ["OS.time"], x[:, None])


def commas_in_quotes(rng: np.random.Generator) -> Case:
    n, g = _sizes(rng)
    genes, samples = _genes(rng, g), _samples(rng, n)
    x = _values(rng, n, g)
    delimiter = str(rng.choice(["\t", ";"]))
    rows = [
        ["gene", "description", *samples],
        *(
            [s, f'"a kinase, of {s}, cytosolic, human, 3,4-linked"', *c]
            for s, c in zip(genes, _cells(rng, x.T), strict=True)
        ),
    ]
    data = "\n".join(delimiter.join(r) for r in rows) + "\n"
    return Case("commas inside quotes", "t.txt", data.encode(), "matrix", samples, genes, x)


def stray_return(rng: np.random.Generator) -> Case:
    genes, samples = _genes(rng, 20), _samples(rng, 4)
    cells = [[f"{v:.1f}" for v in row] for row in rng.gamma(2, 30, (20, 4))]
    cells[int(rng.integers(20))][int(rng.integers(4))] = "1.5\r2"
    data = (
        "\n".join("\t".join(r) for r in [["gene", *samples], *([s, *c] for s, c in zip(genes, cells, strict=True))])
        + "\n"
    )
    return Case("a stray CR in a cell", "t.tsv", data.encode(), "refused")


def comment_inside(rng: np.random.Generator) -> Case:
    n, g = _sizes(rng)
    genes, samples = _genes(rng, g), _samples(rng, n)
    x = _values(rng, n, g)
    rows = [
        "\t".join(r) for r in [["gene", *samples], *([s, *c] for s, c in zip(genes, _cells(rng, x.T), strict=True))]
    ]
    comment = "# batch two" + ("\t" * n if rng.random() < 0.5 else "")
    rows.insert(int(rng.integers(3, len(rows))), comment)
    return Case("a comment among the rows", "t.tsv", ("\n".join(rows) + "\n").encode(), "matrix", samples, genes, x)


def comment_above(rng: np.random.Generator) -> Case:
    n, g = _sizes(rng)
    genes, samples = _genes(rng, g), _samples(rng, n)
    x = _values(rng, n, g)
    rows = [",".join(r) for r in [["gene", *samples], *([s, *c] for s, c in zip(genes, _cells(rng, x.T), strict=True))]]
    above = ["# Expression of liver tumours", ""] if rng.random() < 0.5 else ["# Expression of liver tumours"]
    return Case(
        "a comment above a CSV", "t.csv", ("\n".join([*above, *rows]) + "\n").encode(), "matrix", samples, genes, x
    )


def open_quote(rng: np.random.Generator) -> Case:
    n, g = _sizes(rng)
    rows = [
        ["gene", *_samples(rng, n)],
        *([s, *c] for s, c in zip(_genes(rng, g), _cells(rng, _values(rng, n, g).T), strict=True)),
    ]
    delimiter = str(rng.choice(["\t", ","]))
    texts = [delimiter.join([f'"{r[0]}"', *r[1:]]) for r in rows]
    at = int(rng.integers(1, len(texts)))
    texts[at] = texts[at].replace(f'"{delimiter}', delimiter, 1)
    return Case("a quote never closed", "t.txt", ("\n".join(texts) + "\n").encode(), "refused")


def tie(rng: np.random.Generator) -> Case:
    g = int(rng.integers(10, 20))
    names = [str(s) for s in rng.permutation(SYMBOLS)]
    x = _values(rng, g, g)
    name, data = _write(
        rng, [["", *names[:g]], *([s, *c] for s, c in zip(names[g : 2 * g], _cells(rng, x), strict=True))]
    )
    return Case("two readings", name, data, "refused")


def signed_linear(rng: np.random.Generator) -> Case:
    n, g = int(rng.integers(4, 12)), 60
    x = np.round(rng.lognormal(5, 2, (g, n)) - 150)
    rows = [["gene", *(f"HCC{i}" for i in range(n))], *([f"G{i}", *(str(int(v)) for v in r)] for i, r in enumerate(x))]
    name, data = _write(rng, rows, plain=True)
    return Case("linear values with negatives", name, data, "scale", word="linear")


def estimated_counts(rng: np.random.Generator) -> Case:
    n, g = int(rng.integers(4, 10)), 55
    p = rng.dirichlet(np.full(g, 0.7), n)
    x = np.round(p * rng.uniform(20e6, 70e6, (n, 1)), 2)
    x[rng.random(x.shape) < 0.1] = 0
    genes, samples = _genes(rng, g), _samples(rng, n)
    name, data = _write(
        rng,
        [["gene_id", *samples], *([s, *map(repr, map(float, r))] for s, r in zip(genes, x.T, strict=True))],
        plain=True,
    )
    return Case("estimated counts", name, data, "scale", word="counts|not certain")


KINDS: tuple[Callable[[np.random.Generator], Case], ...] = (
    plain, transposed, ensembl, unknown_ids, spots, numbers_beside_symbols, probes_beside_symbols, numbers_alone,
    patient_numbers, filtered_index, entrez, prefixed, mouse_symbols, headerless, htseq_with_names, long, contrast,
    laboratory, odd_column, other_file, text_ids, clinical_ids, commas_in_quotes, stray_return, comment_inside,
    comment_above, open_quote, tie, signed_linear, estimated_counts,
)  # fmt: skip


def make(seed: int, number: int) -> Case:
    """Make table `number` of a seed."""
    rng = np.random.default_rng([seed, number])
    return KINDS[number % len(KINDS)](rng)


def judge(case: Case, folder: Path) -> tuple[str, str]:
    """Return ``right``, ``refused``, ``wrong`` or ``accepted``, and why."""
    path = folder / case.name
    path.write_bytes(case.data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            outcome, why = _outcome(case, path)
        except MtorscoreError as error:
            outcome, why = ("right", "") if case.truth in ("refused", "no matrix") else ("refused", str(error))
        except Exception:  # any error that is not ours counts as wrong, and is kept with its place
            outcome, why = "wrong", traceback.format_exc(limit=-2)
    silent = not any(case.word in str(w.message) for w in caught)
    if case.truth == "warns" and outcome == "right" and silent:
        outcome, why = "wrong", f"no warning says {case.word!r}"
    path.unlink()
    return outcome, why


def _outcome(case: Case, path: Path) -> tuple[str, str]:
    if case.truth == "clinical":
        frame = mt.io.read_clinical(path)
        same = list(frame.index) == case.samples and case.values is not None
        if not same or not np.array_equal(frame["OS.time"].to_numpy(float), case.values[:, 0], equal_nan=True):
            return "wrong", f"{list(frame.index)[:4]}, {list(frame.columns)[:5]}"
        return "right", ""
    adata = mt.read(path)
    if case.truth == "refused":
        return "accepted", f"read as {adata.shape}: {list(adata.obs_names[:3])} x {list(adata.var_names[:3])}"
    if case.truth == "no matrix":
        return ("right", "") if not adata.n_obs else ("accepted", f"read as {adata.shape}: {list(adata.obs_names[:3])}")
    if case.truth == "scale":
        scale = mt.pp.detect_scale(adata)
        kind, _, doubt = case.word.partition("|")
        ok = scale.kind == kind and (not doubt or not scale.certain)
        return ("right", "") if ok else ("wrong", f"{scale.kind}, certain {scale.certain}")
    if case.truth == "not harmonised":
        try:
            mt.pp.harmonise_genes(adata)
        except MtorscoreError:
            return "right", ""
        return "accepted", f"harmonised to {list(adata.var_names[:4])}"
    return _compare(case, adata)


def _compare(case: Case, adata: Any) -> tuple[str, str]:
    if case.truth in ("symbols", "warns"):
        mt.pp.harmonise_genes(adata)
    names = list(map(str, adata.var_names if case.truth == "symbols" else adata.var["id"]))
    wanted = case.genes if case.truth != "warns" else names
    if case.samples and list(adata.obs_names) != case.samples and sorted(adata.obs_names) != sorted(case.samples):
        return "wrong", f"samples {list(adata.obs_names[:4])}, not {case.samples[:4]}"
    if sorted(names) != sorted(wanted):
        return "wrong", f"genes {names[:4]}, not {wanted[:4]} ({len(names)} for {len(wanted)})"
    if case.truth == "warns" or case.values is None:
        return "right", ""
    frame = pd.DataFrame(np.asarray(adata.X, dtype=float), index=adata.obs_names, columns=names)
    if case.samples:
        frame = frame.loc[case.samples]
    got = frame[wanted].to_numpy()
    return ("right", "") if np.array_equal(got, case.values, equal_nan=True) else ("wrong", "other values")


def main(arguments: Sequence[str] = ()) -> int:
    """Judge random tables and print the shares of each kind; return how many are not right."""
    count = int(arguments[0]) if arguments else 600
    seed = int(arguments[1]) if len(arguments) > 1 else int(time.time())
    most = float(arguments[2]) if len(arguments) > 2 else float("inf")
    print(f"# seed {seed}, {count} tables asked for", flush=True)
    counts: dict[str, Counter[str]] = {}
    shown: dict[str, str] = {}
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            if time.monotonic() - begun > most:
                break
            case = make(seed, number)
            outcome, why = judge(case, Path(folder))
            counts.setdefault(case.kind, Counter())[outcome] += 1
            if outcome != "right":
                shown.setdefault(case.kind, f"table {number}: {outcome}: {why}")
    print("kind\ttables\tright\trefused\twrong\taccepted")
    for kind in sorted(counts):
        c = counts[kind]
        print(f"{kind}\t{c.total()}\t" + "\t".join(str(c[o]) for o in ("right", "refused", "wrong", "accepted")))
    total = sum(counts.values(), Counter())
    print(
        "all\t"
        + str(total.total())
        + "\t"
        + "\t".join(str(total[o]) for o in ("right", "refused", "wrong", "accepted"))
    )
    for kind, why in sorted(shown.items()):
        print(f"# {kind}: {' '.join(why.split())[:400]}", file=sys.stderr)
    return total.total() - total["right"]


if __name__ == "__main__":
    main(sys.argv[1:])
