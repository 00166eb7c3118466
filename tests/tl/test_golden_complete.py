"""No output of a reference implementation of our methods is left without a comparison."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# Folder -> which of its files a test compares; the number found is asserted, so that a new file is noticed.
COMPARED = {
    "R-AUCell-1.25.2": (r"aucell_top-[\d.]+(_mean-of-100-seeds|_seed-[123])?__(tiefree|sc_counts)", 7),
    "R-GSVA-1.46.0": (r"(gsva_kcdf|ssgsea_alpha|zscore|plage).*__bulk_(cont|ties|counts)", 27),
    "R-GSVA-1.53.31": (r"(gsva|ssgsea|zscore|plage).*__(bulk_(cont|ties|counts)|sc_lognorm|bulk_cont_NA)", 40),
    "R-Seurat-4.3.0": (r"AddModuleScore_nbin-(10_ctrl-100|10_ctrl-50|24_ctrl-20|24_ctrl-50)_seed-1__sc_lognorm", 4),
    "R-UCell-2.17.0": (r"ucell_maxRank-\d+_.*", 15),
    "R-singscore-1.29.1": (r"(oneset|updown)_.*__(bulk_cont|bulk_ties|bulk_counts|tiefree)", 52),
    "scanpy-1.12.4": (r"score_genes_.*", 9),
    "decoupler-2.3.1": (r"(ulm|mlm|waggr_wmean_times-0)_.*", 56),
}
# Of decoupler's files these are of other methods; of wmean's p-values without permutations none is a number.
OTHER = r"(aucell|gsea|gsva|ora|viper|waggr_wsum|waggr_wmean_times-100|zscore)_.*"


@pytest.mark.parametrize("folder", COMPARED)
def test_no_file_is_forgotten(golden: Path, folder: str) -> None:
    pattern, count = COMPARED[folder]
    files = sorted(p.stem for p in (golden / "expected" / folder).glob("*.tsv"))
    compared = [f for f in files if re.fullmatch(pattern, f)]
    left = [f for f in files if f not in compared]
    assert all(folder.startswith("decoupler") and re.fullmatch(OTHER, f) for f in left), left
    assert len(compared) == count
    text = "".join(p.read_text() for p in TESTS.glob("test_golden_*.py") if p != Path(__file__))
    assert folder.rpartition("-")[0] in text
