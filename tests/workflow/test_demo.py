"""The workflow from an empty folder to a report, again, and after being killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from mtorscore.errors import ConfigError
from mtorscore.pipeline.config import lock_run
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

RULES = ("acquire", "prepare", "score", "relate", "gsea", "export", "report")
TABLES = (
    "small/exclusions.tsv",
    "small/genes.tsv",
    "small/scores/singscore.tsv",
    "small/scores/zscore.tsv",
    "small/scores/coverage.tsv",
    "small/relate/associations.tsv",
    "small/relate/classifiers.tsv",
    "small/relate/km.tsv",
    "small/relate/gsea.tsv",
)


def command(folder: Path, *more: str) -> list[str]:
    table = folder / "cohorts.tsv"
    if not table.exists():
        table.write_text("cohort\trecipe\tsimulate\nsmall\tsimulated\tn_tumours=60; n_normals=10\n")
    config = folder / "config.yaml"
    config.write_text(
        f"run: test\nresults: {folder / 'results'}\ncohorts: {table}\nmethods: [singscore, zscore]\n"
        "null_sets: 50\nbootstraps: 20\ncv_repeats: 1\ngsea_permutations: 20\n"
    )
    snakefile = ("--snakefile", str(ROOT / "snakefile"))
    return [sys.executable, "-m", "snakemake", *snakefile, "--cores", "1", "--configfile", str(config), *more]


def run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(folder, *more), cwd=folder, capture_output=True, text=True, check=False, timeout=900)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = run(folder)
    assert done.returncode == 0, done.stderr
    return folder


def tables(folder: Path) -> dict[str, bytes]:
    root = folder / "results" / "test"
    return {name: (root / name).read_bytes() for name in TABLES if (root / name).exists()}


def test_every_promised_file_is_there(undisturbed: Path) -> None:
    root = undisturbed / "results" / "test"
    assert set(tables(undisturbed)) == set(TABLES)
    assert (root / "report.html").stat().st_size > 10_000
    assert {p.name for p in (root / "small" / "export").iterdir()} >= {
        "signatures.gmt",
        "expression.gct",
        "phenotype.cls",
        "tumour_vs_normal.rnk",
    }
    for rule in RULES[:-1]:
        assert (root / "small" / "logs" / f"{rule}.log").exists()
        assert (root / "small" / "benchmarks" / f"{rule}.tsv").exists()


def test_second_run_has_nothing_to_do(undisturbed: Path) -> None:
    done = run(undisturbed, "--dry-run")
    assert "Nothing to be done" in done.stdout + done.stderr


def test_changed_option_repeats_only_what_depends_on_it(undisturbed: Path) -> None:
    done = run(undisturbed, "--dry-run", "--config", "null_sets=60")
    said = done.stdout + done.stderr
    assert "rule relate" in said
    assert "rule report" in said
    assert "rule score" not in said
    assert "rule prepare" not in said


def test_changed_raw_file_or_recipe_is_read_again(tmp_path: Path) -> None:
    recipe, matrix = tmp_path / "recipe.yaml", tmp_path / "m.tsv"
    recipe.write_text("id: small\ntitle: t\nstatus: unverified\nexpression: {file: m.tsv}\n")
    genes = ("ALB", "FASN", "SCD", "ACLY", "HK2", "TP53", "MYC", "MKI67")
    matrix.write_text("gene\ts1\ts2\ts3\n" + "".join(f"{g}\t{i}\t2\t30\n" for i, g in enumerate(genes)))
    (tmp_path / "cohorts.tsv").write_text(f"cohort\trecipe\nsmall\t{recipe}\n")
    given = ("--config", f"data={tmp_path}")
    done = run(tmp_path, "--until", "prepare", *given)
    assert done.returncode == 0, done.stderr

    def planned() -> str:
        dry = run(tmp_path, "--until", "prepare", "--dry-run", *given)
        return dry.stdout + dry.stderr

    assert "rule prepare" not in planned()
    for path, more in ((recipe, "patient: p\n"), (matrix, "MTOR\t1\t2\t3\n")):
        whole = path.read_text()
        path.write_text(whole + more)
        assert "rule prepare" in planned()
        path.write_text(whole)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not tell a process of such an end")
def test_workflow_ends_with_its_command_line(tmp_path: Path) -> None:
    call = [sys.executable, "-m", "mtorscore.cli", "demo", "--results", str(tmp_path)]
    lock = tmp_path / "demo" / ".lock"
    with subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as job:
        log = tmp_path / "demo" / "simulated-hcc" / "logs" / "acquire.log"
        deadline = time.monotonic() + 600
        while not log.exists() and time.monotonic() < deadline and job.poll() is None:
            time.sleep(0.05)
        assert log.exists()
        job.kill()
    for _ in range(200):
        try:
            lock_run(lock.parent).close()
            return
        except ConfigError:
            time.sleep(0.05)
    pytest.fail("the workflow outlived its command line and keeps the lock")


def test_lint_is_clean() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint", "--configfile", "workflows/config/demo.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", RULES)
def test_killed_run_leaves_no_half_file_and_goes_on(rule: str, undisturbed: Path, tmp_path: Path) -> None:
    root = tmp_path / "results" / "test"
    log = root / "logs" / "report.log" if rule == "report" else root / "small" / "logs" / f"{rule}.log"
    with subprocess.Popen(
        command(tmp_path), cwd=tmp_path, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as workflow:
        deadline = time.monotonic() + 600
        while not log.exists() and time.monotonic() < deadline and workflow.poll() is None:
            time.sleep(0.01)
        assert log.exists(), f"{rule} never started"
        time.sleep(0.2)
        os.killpg(workflow.pid, signal.SIGKILL)
    expected = tables(undisturbed)
    for name, content in tables(tmp_path).items():
        assert content == expected[name], f"{name} is not whole"
    if (root / "report.html").exists():
        assert (root / "report.html").read_text().rstrip().endswith("</html>")
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert tables(tmp_path) == expected


@pytest.mark.filterwarnings("ignore::mtorscore.errors.IgnoredWarning")
def test_scores_do_not_depend_on_the_outcome(undisturbed: Path, tmp_path: Path) -> None:
    # The score step reads the cohort only; permuting outcomes in the cohort must leave every score as it is.
    import anndata as ad

    from mtorscore import library
    from mtorscore.pipeline import score

    adata = ad.read_h5ad(undisturbed / "results" / "test" / "small" / "cohort.h5ad")
    columns = ["OS", "OS.time", "PFI", "PFI.time"]
    adata.obs[columns] = adata.obs[columns].to_numpy()[::-1]
    adata.write_h5ad(tmp_path / "cohort.h5ad")
    score(tmp_path, library(), ["singscore", "zscore"])
    for method in ("singscore", "zscore"):
        before = pd.read_csv(undisturbed / "results" / "test" / "small" / "scores" / f"{method}.tsv", sep="\t")
        after = pd.read_csv(tmp_path / "scores" / f"{method}.tsv", sep="\t")
        pd.testing.assert_frame_equal(before, after, check_exact=True)


def test_gseapy_runs_on_the_exported_files(undisturbed: Path) -> None:
    import gseapy

    out = undisturbed / "results" / "test" / "small" / "export"
    sets = gseapy.parser.read_gmt(str(out / "signatures.gmt"))
    assert len(sets) >= 20
    first, second, classes = gseapy.parser.gsea_cls_parser(str(out / "phenotype.cls"))
    assert [first, second] == ["tumour", "normal"]
    assert len(classes) == 70
    options = {"gene_sets": str(out / "signatures.gmt"), "outdir": None, "threads": 1}
    ranked = gseapy.prerank(rnk=str(out / "tumour_vs_normal.rnk"), permutation_num=20, seed=1, max_size=2000, **options)
    assert len(ranked.res2d) >= 20
    # gseapy takes the counts in a GCT's second line for its header, so the table below them is handed over.
    gct = pd.read_csv(out / "expression.gct", sep="\t", skiprows=2, index_col=0).drop(columns="Description")
    assert gct.shape[1] == 70
    scores = [
        gseapy.ssgsea(data=data, max_size=2000, **options).res2d.set_index(["Name", "Term"])["ES"].astype(float)
        for data in (gct, str(out / "expression.txt"))
    ]
    assert len(scores[0]) >= 20 * 70
    pd.testing.assert_series_equal(scores[0].sort_index(), scores[1].sort_index())


@pytest.mark.parametrize("entry", ["snakefile", "workflow/Snakefile", "workflows/main.smk"])
def test_is_importable_as_a_module(tmp_path: Path, entry: str) -> None:
    (tmp_path / "cohorts.tsv").write_text("cohort\trecipe\tsimulate\nsmall\tsimulated\tn_tumours=60\n")
    (tmp_path / "Snakefile").write_text(
        f"module mtorscore:\n    snakefile: {str(ROOT / entry)!r}\n"
        "    config: {'run': 'inside', 'cohorts': 'cohorts.tsv'}\n\n"
        "use rule * from mtorscore as mtorscore_*\n\n"
        "rule all:\n    default_target: True\n    input: rules.mtorscore_report.output\n"
    )
    call = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "mtorscore_relate" in done.stdout + done.stderr


@pytest.mark.parametrize("profile", ["default", "local"])
def test_profiles_work(tmp_path: Path, profile: str) -> None:
    done = run(tmp_path, "--dry-run", "--profile", str(ROOT / "workflows" / "profiles" / profile))
    assert done.returncode == 0, done.stderr
