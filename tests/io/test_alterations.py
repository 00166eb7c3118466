"""Alterations: what is read equals a truth table drawn first; quirks of portals; hostile files give one FormatError.

The writers below know the formats and the truth, and nothing of the reader.
"""

from __future__ import annotations

import gzip
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from mtorscore import io
from mtorscore.cli.app import app
from mtorscore.errors import DataError, DataWarning, FormatError, MtorscoreError, MtorscoreWarning
from mtorscore.io.alterations.declared import declared_genes

GENES = ("TP53", "CTNNB1", "PTEN", "PIK3CA", "MTOR", "TERT", "KMT2D", "ALB")
OLD = {"KMT2D": "MLL2"}
ENTREZ = {
    "TP53": 7157,
    "CTNNB1": 1499,
    "PTEN": 5728,
    "PIK3CA": 5290,
    "MTOR": 2475,
    "TERT": 7015,
    "KMT2D": 8085,
    "ALB": 213,
}
MUTATIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "truncating": (("Nonsense_Mutation", "p.R213*"), ("Frame_Shift_Del", "p.Y103fs"), ("Splice_Site", "p.X126_splice")),
    "inframe": (("In_Frame_Del", "p.A5del"),),
    "missense": (("Missense_Mutation", "p.G2999A"),),
}
SILENT = ("Silent", "Intron", "3'UTR", "5'Flank", "RNA", "IGR")


def mutation_truth(rng: np.random.Generator, n: int = 30) -> pd.DataFrame:
    """Return samples x genes of kinds, most of them unaltered; one in five samples has nothing at all."""
    kinds = np.array(["", *MUTATIONS], dtype=object)
    drawn = kinds[rng.choice(4, size=(n, len(GENES)), p=[0.7, 0.1, 0.1, 0.1])]
    drawn[rng.random(n) < 0.2] = ""
    names = [
        f"TCGA-{rng.integers(36**2):02X}-{i:04d}-01A-11D-A12Z-10".replace("TCGA-", "TCGA-A")[:28] for i in range(n)
    ]
    names = [f"TCGA-DD-A{i:03d}-01A-11D-A12Z-10" for i in range(n)]
    return pd.DataFrame(drawn, index=names, columns=list(GENES))


def maf_lines(truth: pd.DataFrame, rng: np.random.Generator, *, quirks: bool = True) -> list[str]:
    """Return a MAF: comments, several rows per cell, silent rows, old symbols and Unknown, LOH rows."""
    columns = ["Hugo_Symbol", "Entrez_Gene_Id", "Center", "Chromosome", "Variant_Classification", "Variant_Type"]
    columns += ["Tumor_Sample_Barcode", "Matched_Norm_Sample_Barcode", "Mutation_Status", "HGVSp_Short", "FILTER"]
    rows = []

    def row(gene: str, sample: str, what: str, change: str, status: str = "Somatic") -> None:
        unknown = quirks and rng.random() < 0.15
        name = "Unknown" if unknown else OLD.get(gene, gene) if quirks and rng.random() < 0.5 else gene
        rows.append(
            [name, str(ENTREZ[gene]), "x", "1", what, "SNP", sample, sample[:12] + "-10A", status, change, "PASS"]
        )

    for sample in truth.index:
        for gene in GENES:
            kind = truth.loc[sample, gene]
            options = MUTATIONS.get(kind, ())
            for _ in range(int(rng.integers(1, 3)) if options else 0):
                what, change = options[rng.integers(len(options))]
                row(gene, sample, what, change)
            if quirks and rng.random() < 0.3 and gene != "TERT":
                row(gene, sample, SILENT[rng.integers(len(SILENT))], "p.A1A")
            if quirks and rng.random() < 0.05:
                row(gene, sample, "Missense_Mutation", "p.R9999A", "LOH")
    rng.shuffle(rows)
    head = ["#version 2.4", "## made by a test"] if quirks else []
    return [*head, "\t".join(columns), *("\t".join(r) for r in rows)]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def equals(adata: Any, truth: pd.DataFrame) -> None:
    """Kinds, calls and the mask equal the truth, in which None is not profiled."""
    genes = list(truth.columns)
    seen = truth.notna()
    found = pd.DataFrame(adata.layers["kind"], adata.obs_names, adata.var_names).loc[truth.index, genes]
    assert (found.to_numpy() == truth.where(seen, "").to_numpy()).all()
    profiled = pd.DataFrame(adata.layers["profiled"], adata.obs_names, adata.var_names).loc[truth.index, genes]
    assert (profiled.to_numpy() == seen.to_numpy()).all()
    calls = adata.to_df().loc[truth.index, genes].to_numpy()
    assert (np.isnan(calls) == ~seen.to_numpy()).all()
    shallow = truth.isin(["gain", "shallow deletion"]).to_numpy()
    wanted = ((truth.where(seen, "") != "").to_numpy() & ~shallow)[seen.to_numpy()]
    assert (calls[seen.to_numpy()] == wanted).all()


@pytest.mark.parametrize("portal", ["gdc", "mc3", "cbioportal"])
def test_a_maf_is_read_as_drawn(tmp_path: Path, portal: str) -> None:
    """Everybody in the case list is profiled; nobody else is there."""
    for seed in (0, 1, int(np.random.default_rng().integers(10**6))):
        rng = np.random.default_rng(seed)
        truth = mutation_truth(rng)
        lines = maf_lines(truth, rng)
        if portal == "mc3":
            lines = lines[2:]
        file = tmp_path / ("data_mutations.txt" if portal == "cbioportal" else f"{portal}.maf.gz")
        if portal == "cbioportal":
            write(file, lines)
        else:
            file.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
        cases = write(
            tmp_path / "cases_sequenced.txt", ["stable_id: x_sequenced", "case_list_ids: " + "\t".join(truth.index)]
        )
        with warnings.catch_warnings():
            warnings.simplefilter("error", MtorscoreWarning)
            adata = io.read_alterations(file, profiled=cases, genes=GENES)
        equals(adata, truth)
        print(portal, seed)


def test_who_was_profiled_is_asked_for(tmp_path: Path) -> None:
    """Without a case list samples without a mutation are missing, and that is said."""
    rng = np.random.default_rng(3)
    truth = mutation_truth(rng)
    file = write(tmp_path / "x.maf", maf_lines(truth, rng, quirks=False))
    with pytest.warns(DataWarning, match="names no sample without one"):
        adata = io.read_alterations(file)
    assert set(adata.obs_names) == set(truth.index[(truth != "").any(axis=1)])


def test_sequenced_samples_of_the_header_are_profiled(tmp_path: Path) -> None:
    file = write(
        tmp_path / "data_mutations_extended.txt",
        ["#sequenced_samples: A B C", "Hugo_Symbol\tTumor_Sample_Barcode\tVariant_Classification", "TP53\tA\tSilent"],
    )
    adata = io.read_alterations(file, genes=["TP53", "PTEN"])
    assert sorted(adata.obs_names) == ["A", "B", "C"]
    assert adata.to_df().eq(0).all().all()
    assert adata.uns["alterations"]["left_out"] == {"silent or outside of genes": 1}


def level_truth(rng: np.random.Generator, n: int = 25) -> pd.DataFrame:
    kinds = np.array(["", "deep deletion", "shallow deletion", "gain", "amplification", None], dtype=object)
    drawn = kinds[rng.choice(6, size=(n, len(GENES)), p=[0.5, 0.1, 0.1, 0.1, 0.1, 0.1])]
    return pd.DataFrame(drawn, index=[f"S{i}" for i in range(n)], columns=list(GENES), dtype=object)


NUMBERS = {"deep deletion": "-2", "shallow deletion": "-1", "": "0", "gain": "1", "amplification": "2", None: "NA"}


@pytest.mark.parametrize("form", ["gistic", "cbioportal", "entrez", "floats", "long"])
def test_levels_of_copy_number_are_read_as_drawn(tmp_path: Path, form: str) -> None:
    rng = np.random.default_rng(int(np.random.default_rng().integers(10**6)))
    truth = level_truth(rng)
    head = {
        "gistic": ["Gene Symbol", "Locus ID", "Cytoband"], "cbioportal": ["Hugo_Symbol", "Entrez_Gene_Id"],
        "entrez": ["Entrez_Gene_Id"], "floats": ["Hugo_Symbol"],
        "long": ["Hugo_Symbol", "Entrez_Gene_Id", "Sample_Id", "Value"],
    }[form]  # fmt: skip
    lines = []
    for gene in GENES:
        cells = [NUMBERS[truth.loc[s, gene]] for s in truth.index]
        if form == "long":
            named = zip(truth.index, cells, strict=True)
            lines += ["\t".join([gene, str(ENTREZ[gene]), s, c]) for s, c in named if c != "NA"]
            continue
        cells = [f"{float(c):.1f}" if form == "floats" and c != "NA" else c for c in cells]
        about = {"gistic": [f"{OLD.get(gene, gene)}|chr1", str(ENTREZ[gene]), "1p1"], "entrez": [str(ENTREZ[gene])]}
        about |= {"cbioportal": ["", str(ENTREZ[gene])] if gene == "ALB" else [gene, str(ENTREZ[gene])]}
        lines.append("\t".join([*about.get(form, [gene]), *cells]))
    if form != "long":
        head = [*head, *truth.index]
    adata = io.read_alterations(write(tmp_path / "data_cna.txt", ["\t".join(head), *lines]))
    if form == "long":
        truth = truth.loc[[s for s in truth.index if truth.loc[s].notna().any()]]
    equals(adata, truth)
    counted = io.read_alterations(tmp_path / "data_cna.txt", shallow=True).to_df()
    assert (counted.loc[truth.index, list(GENES)].eq(1) == truth.fillna("").ne("")).all().all()


def test_structural_variants_count_for_both_genes(tmp_path: Path) -> None:
    file = write(
        tmp_path / "data_sv.txt",
        [
            "Sample_Id\tSV_Status\tSite1_Hugo_Symbol\tSite2_Hugo_Symbol\tSite2_Entrez_Gene_Id\tEvent_Info",
            "A\tSOMATIC\tTP53\tALB\t213\tx",
            "B\tSOMATIC\tUnknown\t\t2475\tx",
            "B\tGERMLINE\tMLL2\t\t\tx",
        ],
    )
    adata = io.read_alterations(file, profiled={"structural_variants": ["A", "B", "C"]}, genes=GENES)
    kinds = pd.DataFrame(adata.layers["kind"], adata.obs_names, adata.var_names)
    named = {(s, g) for s in kinds.index for g in kinds.columns if kinds.loc[s, g]}
    assert named == {("A", "TP53"), ("A", "ALB"), ("B", "MTOR"), ("B", "KMT2D")}
    assert adata.to_df().loc["C"].eq(0).all()
    old = ["Hugo_Symbol\tTumor_Sample_Barcode\tFusion", "TP53\tA\tTP53-ALB"]
    assert io.read_alterations(write(tmp_path / "data_fusions.txt", old)).to_df().loc["A", "TP53"] == 1


def study(folder: Path, *, panel: bool = True) -> Path:
    """Write a cBioPortal study of four samples: WES, a panel without PTEN, sequenced only, and not profiled."""
    (folder / "case_lists").mkdir(parents=True)
    write(
        folder / "data_mutations.txt",
        [
            "Hugo_Symbol\tTumor_Sample_Barcode\tVariant_Classification\tHGVSp_Short",
            "TP53\tA\tMissense_Mutation\tp.R249S",
        ],
    )
    write(folder / "data_cna.txt", ["Hugo_Symbol\tA\tB", "TP53\t0\t-2", "PTEN\tNA\t0"])
    write(folder / "case_lists" / "cases_sequenced.txt", ["stable_id: x", "case_list_ids: A\tB\tC"])
    if panel:
        write(folder / "data_gene_matrix.txt", ["SAMPLE_ID\tmutations\tcna", "A\tWES\tWES", "B\tP1\tP1", "C\tP1\tNA"])
        write(folder / "data_gene_panel_p1.txt", ["stable_id: P1", "description: x", "gene_list: TP53\tTERT"])
    return folder


def test_a_study_folder_knows_who_was_profiled_for_what(tmp_path: Path) -> None:
    adata = io.read_alterations(study(tmp_path / "s"), genes=["TP53", "PTEN", "TERT"])
    mask = pd.DataFrame(adata.layers["profiled_mutations"], adata.obs_names, adata.var_names)
    assert mask.loc["A"].all()
    assert mask.loc[["B", "C"]].to_numpy().tolist() == [[True, False, True]] * 2
    cna = pd.DataFrame(adata.layers["profiled_copy_number"], adata.obs_names, adata.var_names)
    assert cna.loc["A"].tolist() == [True, False, False]
    assert not cna.loc["C"].any()
    assert adata.to_df().loc["B", "TP53"] == 1
    assert np.isnan(adata.to_df().loc["C", "PTEN"])
    (tmp_path / "s" / "data_gene_panel_p1.txt").unlink()
    with pytest.raises(FormatError, match="no file describes the panel"):
        io.read_alterations(tmp_path / "s")


def test_one_panel_of_all_limits_what_is_known(tmp_path: Path) -> None:
    maf = ["Hugo_Symbol\tTumor_Sample_Barcode\tVariant_Classification", "TP53\tA\tNonsense_Mutation"]
    panel = write(tmp_path / "panel.txt", ["TP53", "MLL2"])
    adata = io.read_alterations(write(tmp_path / "x.maf", maf), profiled=["A", "B"], panels=panel, genes=GENES)
    assert adata.to_df().columns[adata.to_df().notna().all()].tolist() == ["TP53", "KMT2D"]


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("form", ["binary", "words", "blank"])
def test_tables_of_calls_are_read_in_either_orientation(tmp_path: Path, across: bool, form: str) -> None:
    rng = np.random.default_rng(int(np.random.default_rng().integers(10**6)))
    drawn = np.array(["", "altered", None], dtype=object)[rng.choice(3, size=(12, len(GENES)), p=[0.6, 0.3, 0.1])]
    truth = pd.DataFrame(drawn, index=[f"HCC{i}" for i in range(12)], columns=list(GENES), dtype=object)
    truth.iloc[0, 0] = ""
    words = {"binary": {"": "0", "altered": "1", None: "NA"}, "words": {"": "WT", "altered": "MUT", None: ""}}
    words["blank"] = {"": "", "altered": "Mutated", None: "not profiled"}
    table = pd.DataFrame([[words[form][v] for v in row] for row in truth.to_numpy()], truth.index, truth.columns)
    table = table if across else table.T
    table.to_csv(tmp_path / "calls.csv")
    equals(io.read_alterations(tmp_path / "calls.csv"), truth)


def test_words_and_changes_have_their_kinds(tmp_path: Path) -> None:
    cells = {
        "TP53": "p.R249S", "CTNNB1": "S33C;AMP", "PTEN": "HOMDEL", "PIK3CA": "A2T", "MTOR": "GAIN", "TERT": "C228T",
        "KMT2D": "Q5*", "ALB": "X20_splice",
    }  # fmt: skip
    lines = ["SAMPLE_ID\t" + "\t".join(cells), "A\t" + "\t".join(cells.values()), "B" + "\tWT" * 8]
    adata = io.read_alterations(write(tmp_path / "t.tsv", lines))
    kinds = dict(zip(adata.var_names, adata["A"].layers["kind"][0], strict=True))
    assert kinds == {
        "TP53": "missense hotspot", "CTNNB1": "missense hotspot; amplification", "PTEN": "deep deletion",
        "PIK3CA": "missense", "MTOR": "gain", "TERT": "promoter", "KMT2D": "truncating", "ALB": "truncating",
    }  # fmt: skip
    assert adata.to_df().loc["A", "MTOR"] == 0


def test_files_of_one_cohort_are_joined_by_the_sample(tmp_path: Path) -> None:
    """Barcodes of aliquots and of samples name the same tumour."""
    maf = [
        "Hugo_Symbol\tTumor_Sample_Barcode\tVariant_Classification",
        "TP53\tTCGA-DD-A001-01A-11D-A12Z-10\tNonstop_Mutation",
    ]
    cna = ["Hugo_Symbol\tTCGA-DD-A001-01\tTCGA-DD-A002-01", "TP53\t-2\t0"]
    files = [write(tmp_path / "a.maf", maf), write(tmp_path / "data_cna.txt", cna)]
    adata = io.read_alterations(files, profiled=["TCGA-DD-A001-01", "TCGA-DD-A002-01"])
    assert list(adata.obs_names) == ["TCGA-DD-A001-01", "TCGA-DD-A002-01"]
    assert adata.layers["kind"][:, 0].tolist() == ["truncating; deep deletion", ""]


def test_real_case_lists_say_who_was_profiled(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data/native-formats/cbioportal/hcc_mskimpact_2018/case_lists"
    maf = ["Hugo_Symbol\tTumor_Sample_Barcode\tVariant_Classification", "TERT\tP-0021001-T01-IM6\t5'Flank"]
    adata = io.read_alterations(write(tmp_path / "x.maf", maf), profiled=folder / "cases_sequenced.txt")
    assert adata.n_obs == 127
    assert adata.to_df()["TERT"].sum() == 1


HEAD = "Hugo_Symbol\tTumor_Sample_Barcode\tVariant_Classification"
HOSTILE: dict[str, tuple[str, str]] = {
    "empty.maf": ("", "empty"),
    "comments.maf": ("#a\n#b\n", "comments alone"),
    "cut.maf": (f"{HEAD}\nTP53\tA\tSilent\nTP53\tB", "2 cells under 3 columns"),
    "nobody.maf": (f"{HEAD}\nTP53\t\tSilent\n", "without a sample"),
    "words.maf": (f"{HEAD}\nTP53\tA\tBanana\n", "none of 1 rows"),
    "twice.maf": (f"{HEAD}\tHugo_Symbol\nTP53\tA\tSilent\tTP53\n", "are called"),
    "log2.txt": ("Hugo_Symbol\tA\tB\nTP53\t0.31\t-1.4\n", "ratios of copy number"),
    "three.txt": ("Hugo_Symbol\tA\tB\nTP53\t-3\t1\n", "neither a level"),
    "two.txt": ("Hugo_Symbol\tA\tB\nTP53\t2\t1\n", "may be levels"),
    "samples.txt": ("Hugo_Symbol\tA\tA\nTP53\t0\t1\n", "twice"),
    "odd.csv": ("sample,TP53,PTEN\nA,WT,perhaps\n", "perhaps"),
    "clinical.tsv": ("id\tage\tstage\nx1\t60\tII\ny2\t50\tI\n", "no alterations are recognised"),
    "page.maf": ("<!doctype html><html><body>log in</body></html>", "HTML"),
    "vcf.txt": ("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\n1\t100\trs1\n", "no alterations|columns"),
    "meta.txt": ("cancer_study_identifier: x\nstable_id: x\n", "no alterations|columns"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_file_gives_one_error(tmp_path: Path, name: str) -> None:
    text, words = HOSTILE[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(FormatError, match=words) as error:
        io.read_alterations(tmp_path / name, profiled=["A"])
    assert name in str(error.value)


def test_missing_files_and_wishes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        io.read_alterations(tmp_path / "no.maf")
    with pytest.raises(FormatError, match="holds no data_mutations"):
        io.read_alterations(tmp_path)
    file = write(tmp_path / "x.maf", [HEAD, "TP53\tA\tSilent"])
    with pytest.raises(FormatError, match="kinds of data are"):
        io.read_alterations(file, profiled={"dna": ["A"]})
    with pytest.raises(DataError, match="names no gene"):
        io.read_alterations(file, genes=[""])
    with pytest.raises(DataError, match="no file"):
        io.read_alterations([])


@pytest.mark.parametrize("command", ["score", pytest.param("run", marks=pytest.mark.slow)])
def test_alterations_are_no_matrix(tmp_path: Path, command: str) -> None:
    """A MAF, levels of copy number and structural variants are refused by name, not scored."""
    rng = np.random.default_rng(0)
    maf = write(tmp_path / "data_mutations.txt", maf_lines(mutation_truth(rng), rng))
    genes = list(declared_genes())
    levels = [f"{g}\t{i}\t" + "\t".join(map(str, rng.integers(-2, 3, 20))) for i, g in enumerate(genes)]
    cna = write(
        tmp_path / "data_cna.txt", ["Hugo_Symbol\tEntrez_Gene_Id\t" + "\t".join(f"S{i}" for i in range(20)), *levels]
    )
    sv = write(
        tmp_path / "data_sv.txt", ["Sample_Id\tSite1_Hugo_Symbol\tSite2_Hugo_Symbol", "A\tTP53\tALB", "B\tMET\tALB"]
    )
    for file, word in ((maf, "mutations"), (cna, "copy number"), (sv, "structural variants")):
        options = (
            ["--out", str(tmp_path / "o.tsv")] if command == "score" else ["-o", str(tmp_path / "r"), "--cores", "1"]
        )
        if command == "run" and file != maf:
            continue
        done = CliRunner().invoke(app, [command, str(file), *options])
        said = str(done.exception) + done.output
        assert done.exit_code != 0
        assert word in said
        assert "alterations" in said
        assert not (tmp_path / "o.tsv").exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["maf", "cna", "calls", "any"]),
    cells=st.lists(st.lists(st.text(max_size=8), min_size=1, max_size=5), min_size=1, max_size=6),
)
def test_whatever_is_written_is_read_or_refused(tmp_path: Path, kind: str, cells: list[list[str]]) -> None:
    heads = {"maf": [HEAD], "cna": ["Hugo_Symbol\tA\tB"], "calls": ["sample\tTP53\tPTEN"], "any": []}
    file = tmp_path / "any.txt"
    file.write_bytes("\n".join([*heads[kind], *("\t".join(r) for r in cells)]).encode("utf-8", "replace"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            adata = io.read_alterations(file)
        except MtorscoreError:
            return
    calls = adata.to_df().to_numpy()
    assert (np.isnan(calls) == ~adata.layers["profiled"]).all()
    assert ((calls == 1) <= (adata.layers["kind"] != "")).all()


def test_no_order_of_rows_or_columns_matters(tmp_path: Path) -> None:
    rng = np.random.default_rng(int(np.random.default_rng().integers(10**6)))
    truth = mutation_truth(rng)
    lines, everybody = maf_lines(truth, rng), list(truth.index)
    one = io.read_alterations(write(tmp_path / "a.maf", lines), profiled=everybody, genes=GENES)
    body = lines[3:]
    rng.shuffle(body)
    other = io.read_alterations(write(tmp_path / "b.maf", [*lines[:3], *body]), profiled=everybody, genes=GENES)
    assert (one.layers["kind"] == other[one.obs_names].layers["kind"]).all()


def test_what_is_read_is_kept_in_h5ad(tmp_path: Path) -> None:
    import anndata as ad

    rng = np.random.default_rng(1)
    truth = mutation_truth(rng)
    file = write(tmp_path / "x.maf", maf_lines(truth, rng))
    adata = io.read_alterations(file, profiled=list(truth.index))
    adata.write_h5ad(tmp_path / "x.h5ad")
    again = ad.read_h5ad(tmp_path / "x.h5ad")
    assert (again.layers["kind"] == adata.layers["kind"]).all()
    np.testing.assert_array_equal(again.X, adata.X)


def test_declared_genes_are_of_today_and_have_sources() -> None:
    from mtorscore.collection.library_files import BRANCHES
    from mtorscore.genes.symbols import approved_symbols

    genes = declared_genes()
    wanted = "PTEN PIK3CA PIK3R1 AKT1 AKT2 AKT3 TSC1 TSC2 MTOR RHEB DEPDC5 NPRL2 NPRL3 STK11 KEAP1 NFE2L2 MYC VEGFA MET"
    assert set(genes) == {*wanted.split(), "EGFR", "ERBB2", "FGF19", "CTNNB1", "TP53", "TERT"}
    assert set(genes) <= approved_symbols()
    assert [g for g, d in genes.items() if d.context] == ["CTNNB1", "TP53", "TERT"]
    for gene in genes.values():
        assert gene.sources
        assert set(gene.branches) <= set(BRANCHES)
        assert set(gene.branches.values()) <= {-1, 0, 1}


@pytest.mark.parametrize(("yes", "no"), [("Y", "N"), ("yes", "no"), ("mut", "WT"), ("1", "0"), ("TRUE", "FALSE")])
def test_two_words_for_altered_and_not(tmp_path: Path, yes: str, no: str) -> None:
    lines = ["sample\tTP53\tCTNNB1", f"HCC1\t{yes}\t{no}", f"HCC2\t{no}\t{yes}", f"HCC3\t{no}\tNA"]
    adata = io.read_alterations(write(tmp_path / "calls.tsv", lines)).to_df()
    np.testing.assert_array_equal(adata["TP53"], [1, 0, 0])
    np.testing.assert_array_equal(adata["CTNNB1"], [0, 1, np.nan])


def test_callers_and_portals_name_columns_in_their_way(tmp_path: Path) -> None:
    """ICGC, ANNOVAR and VEP: ids for symbols, where a variant lies, a transcript before the protein change."""
    icgc = [
        "icgc_mutation_id\ticgc_donor_id\tsubmitted_sample_id\tconsequence_type\taa_mutation\tgene_affected",
        "MU1\tDO1\tA\tmissense_variant\tR249S\tENSG00000141510",
        "MU2\tDO1\tB\tdisruptive_inframe_deletion\tA5del\tENSG00000171862",
        "MU3\tDO1\tB\t5_prime_UTR_premature_start_codon_gain_variant\t\tENSG00000198793",
    ]
    annovar = [
        "Sample\tGene.refGene\tFunc.refGene\tExonicFunc.refGene\tAAChange.refGene",
        "A\tTP53\texonic\tnonsynonymous SNV\tTP53:NM_000546:exon7:c.G747T:p.R249S",
        "B\tPTEN\texonic\tnonframeshift block substitution\tPTEN:NM_000314:x",
        "B\tMTOR\tncRNA_intronic\t.\t.",
    ]
    vep = [
        "SYMBOL\tTumor_Sample_Barcode\tConsequence\tHGVSp",
        "TP53\tA\tmissense_variant&splice_region_variant\tENSP00000269305.4:p.Arg249Ser",
        "PTEN\tB\tinframe_deletion\tENSP00000361021.3:p.Ala5del",
        "MTOR\tB\tupstream_gene_variant\t",
    ]
    for name, lines in (("ssm.tsv", icgc), ("multianno.txt", annovar), ("vep.txt", vep)):
        adata = io.read_alterations(write(tmp_path / name, lines), profiled=["A", "B"], genes=["TP53", "PTEN", "MTOR"])
        assert adata["A"].layers["kind"][0].tolist() == ["missense hotspot", "", ""], name
        assert adata["B"].layers["kind"][0].tolist() == ["", "inframe", ""], name


def test_promoter_mutations_by_their_place_in_the_gene(tmp_path: Path) -> None:
    lines = ["sample\tTERT\tTP53", "A\tc.-124C>T\tWT", "B\t-146C>T\tWT", "C\tC250T\tWT", "D\tWT\tWT"]
    adata = io.read_alterations(write(tmp_path / "t.tsv", lines))
    assert adata[:, "TERT"].layers["kind"][:, 0].tolist() == ["promoter", "promoter", "promoter", ""]


def test_a_table_that_is_none_of_alterations_is_refused_whatever_is_wanted(tmp_path: Path) -> None:
    """Names of samples that happen to be symbols make no table of genes, and words of others are looked at."""
    lines = ["Sample\tplace\tfinding", "CAT\tliver\tsteatosis", "DES\tspleen\tnone seen"]
    file = write(tmp_path / "t.tsv", lines)
    with pytest.raises(FormatError, match="neither that a gene is altered"):
        io.read_alterations(file, genes=["TP53"])


PRIMARY, RECURRENT, NORMAL = "TCGA-DD-A001-01A-11D-A12Z-10", "TCGA-DD-A001-02A-11D-A12Z-10", "TCGA-DD-A002-11A-11D-A12Z"


def test_a_patient_is_the_primary_tumour(tmp_path: Path) -> None:
    """Where who was profiled is said by patients, recurrences and normal tissue say nothing of the tumour."""
    rows = [f"TP53\t{PRIMARY}\tMissense_Mutation", f"PTEN\t{RECURRENT}\tNonsense_Mutation"]
    rows += [f"MTOR\t{NORMAL}\tNonsense_Mutation"]
    for lines in (rows, rows[::-1]):
        file = write(tmp_path / "x.maf", [HEAD, *lines])
        with pytest.warns(DataWarning, match="2 sample"):
            adata = io.read_alterations(
                file, profiled=["TCGA-DD-A001", "TCGA-DD-A002", "TCGA-DD-A003"], genes=["TP53", "PTEN", "MTOR"]
            )
        assert adata.to_df().loc["TCGA-DD-A001"].tolist() == [1, 0, 0]
        assert adata.to_df().loc[["TCGA-DD-A002", "TCGA-DD-A003"]].eq(0).all().all()


def test_barcodes_with_dots_name_the_same_tumours(tmp_path: Path) -> None:
    """R makes dots of dashes in names of columns."""
    cna = write(tmp_path / "data_cna.txt", ["Hugo_Symbol\tTCGA.DD.A001.01\tTCGA.DD.A002.01", "TP53\t-2\t0"])
    maf = write(tmp_path / "x.maf", [HEAD, f"TP53\t{PRIMARY}\tMissense_Mutation"])
    adata = io.read_alterations([cna, maf], profiled=["TCGA-DD-A001-01", "TCGA-DD-A002-01"])
    assert list(adata.obs_names) == ["TCGA-DD-A001-01", "TCGA-DD-A002-01"]
    assert adata.layers["kind"][:, 0].tolist() == ["missense; deep deletion", ""]


def test_aliquots_of_one_sample_are_laid_over_each_other(tmp_path: Path) -> None:
    """Levels of two aliquots count together, and what one of them knows is known."""
    names = ["TCGA-DD-A001-01A-11D", "TCGA-DD-A001-01A-12D", "TCGA-DD-A002-01A-11D"]
    cna = write(tmp_path / "data_cna.txt", ["Hugo_Symbol\t" + "\t".join(names), "TP53\t-2\tNA\tNA", "PTEN\t0\tNA\t2"])
    adata = io.read_alterations(cna, profiled={"copy_number": ["TCGA-DD-A001-01", "TCGA-DD-A002-01"]})
    np.testing.assert_array_equal(adata.to_df()[["TP53", "PTEN"]], [[1, 0], [np.nan, 1]])


@pytest.mark.parametrize("levels", [(-2, -1, 0, 1, 2), (-2, -1.5, 0, 2)])
def test_levels_of_copy_number_are_no_expression(tmp_path: Path, levels: tuple[float, ...]) -> None:
    """Without a name that tells, values do; half levels and missing ones are levels too."""
    rng = np.random.default_rng(int(np.random.default_rng().integers(10**6)))
    rows = [f"{g}\t" + "\t".join(map(str, rng.choice(levels, 12))) + "\tNA" for g in declared_genes()]
    file = write(tmp_path / "table.txt", ["gene\t" + "\t".join(f"S{i}" for i in range(13)), *rows])
    assert "levels of copy number" in str(io.describe(file))
    done = CliRunner().invoke(app, ["score", str(file), "--out", str(tmp_path / "o.tsv")])
    assert done.exit_code != 0
    assert "level of copy number" in str(done.exception) + done.output
