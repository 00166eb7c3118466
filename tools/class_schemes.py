# ruff: noqa: E501 (tables of genes and classes)
"""Write ``signatures/classes/*.yaml`` from an MSigDB GMT file, with a frozen reference from a cohort of expression.

    python tools/class_schemes.py msigdb.gmt --hcc hcc.h5ad --cca cca.h5ad

The cohorts hold tumours alone, observations x current symbols, on log scale. What is frozen of them are the mean and SD of
each marker's percentile among the markers within a tumour, and of each class's rank score; no label is looked at.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import anndata as ad
import yaml

from mtorscore.collection import SignatureCollection
from mtorscore.pipeline.config import current
from mtorscore.tl import scheme
from mtorscore.tl.analysis.class_samples import rank_weights, read_markers

FOLDER = Path(__file__).parents[1] / "signatures" / "classes"
HEPATOCYTE = [
    "ALB",
    "APOA1",
    "APOA2",
    "APOB",
    "APOC3",
    "APOH",
    "SERPINA1",
    "TF",
    "TTR",
    "FGA",
    "FGB",
    "FGG",
    "AHSG",
    "HP",
    "AMBP",
    "RBP4",
    "VTN",
    "ITIH1",
    "C3",
    "HNF4A",
]
BILIARY = [
    "KRT7",
    "KRT19",
    "KRT23",
    "SOX9",
    "EPCAM",
    "CLDN4",
    "TACSTD2",
    "SPP1",
    "MMP7",
    "ITGB4",
    "LAMC2",
    "LAMB3",
    "CFTR",
    "SLC34A2",
    "TFF1",
    "MUC1",
    "S100P",
    "ANXA13",
]
ADULT = [
    "CYP3A4",
    "CYP2C8",
    "CYP2C19",
    "CYP1A2",
    "CYP4A11",
    "CYP2A6",
    "ADH4",
    "HAMP",
    "C9",
    "SLC22A1",
    "SULT2A1",
    "UGT2B10",
    "UGT2B15",
    "F9",
    "TAT",
    "AKR1C4",
    "BHMT",
    "CPS1",
    "GYS2",
]
FETAL = [
    "DLK1",
    "GPC3",
    "IGF2",
    "H19",
    "PEG10",
    "PEG3",
    "MEG3",
    "NKD1",
    "AXIN2",
    "TNFRSF19",
    "DKK4",
    "BMP4",
    "LIN28B",
    "IGF2BP1",
    "IGF2BP3",
    "PRAME",
    "COL2A1",
    "SP5",
    "NOTUM",
    "LGR5",
    "ROBO1",
    "MSX2",
]
NO_CCA = {"what": "cholangiocarcinoma", "high": BILIARY, "low": HEPATOCYTE, "margin": 0.0}
NO_HCC = {"what": "hepatocellular carcinoma", "high": HEPATOCYTE, "low": BILIARY, "margin": 0.1}
NO_ADULT = {"what": "hepatocellular carcinoma", "high": ADULT, "low": FETAL, "margin": 0.1}
LIVER = {"genes": HEPATOCYTE, "least": 0.6}
B, C = "BOYAULT_LIVER_CANCER_SUBCLASS_", "CHIANG_LIVER_CANCER_SUBCLASS_"
HOSHIDA = {
    f"S{k}": {"up": {"entry": f"HOSHIDA_S{k}"}, "title": t}
    for k, t in (
        (1, "WNT and TGF-beta, mesenchymal"),
        (2, "MYC and AKT, EpCAM, AFP"),
        (3, "hepatocyte differentiation"),
    )
}

SCHEMES: dict[str, dict[str, Any]] = {
    "hoshida": {
        "title": "Hoshida subclasses of hepatocellular carcinoma", "cancers": ["HCC"], "classes": HOSHIDA, "pmid": "19723656",
        "caveat": "Lists of one direction; S2 and S1 share proliferation, so that many S2 are called S1 by the lists alone.",
    },
    "boyault": {
        "title": "Boyault groups of hepatocellular carcinoma", "cancers": ["HCC"], "pmid": "17187432",
        "classes": {"G1": {"up": f"{B}G1_UP", "down": f"{B}G1_DN"}, "G2": {"up": f"{B}G2"}, "G3": {"up": f"{B}G3_UP", "down": f"{B}G3_DN"}, "G5": {"down": f"{B}G5_DN"}, "G6": {"up": f"{B}G6_UP", "down": f"{B}G6_DN"}},
        "caveat": "G4 has no list and is never called; G5 has down genes only.",
    },
    "chiang": {
        "title": "Chiang classes of hepatocellular carcinoma", "cancers": ["HCC"], "pmid": "18701503",
        "classes": {name: {"up": f"{C}{key}_UP", "down": f"{C}{key}_DN"} for name, key in (("CTNNB1", "CTNNB1"), ("proliferation", "PROLIFERATION"), ("interferon", "INTERFERON"), ("polysomy 7", "POLYSOMY7"), ("unannotated", "UNANNOTATED"))},
        "caveat": "Cohort of hepatitis C; the unannotated class is what the others left.",
    },
    "hcc_proliferation": {
        "title": "Proliferation and non-proliferation classes of hepatocellular carcinoma", "cancers": ["HCC"], "pmid": "18701503",
        "classes": {"proliferation": {"up": f"{C}PROLIFERATION_UP"}, "non-proliferation": {"up": f"{C}PROLIFERATION_DN"}},
        "caveat": "The divide of reviews, by the lists of one study's proliferation class.",
    },
    "cca_stem_cell": {
        "title": "Stem-cell-like cholangiocarcinoma", "cancers": ["CCA"], "pmid": "21320499",
        "classes": {"stem-cell-like": {"up": {"entry": "CCA_STEM_CELL_LIKE"}}, "other": {"up": {"entry": "CCA_STEM_CELL_LIKE", "direction": "down"}}},
        "caveat": "No labelled expression was at hand: how often the calls are right is not known.",
    },
    "cca_prognosis": {
        "title": "Cholangiocarcinoma of good and of poor prognosis", "cancers": ["CCA"], "pmid": "21320499",
        "classes": {"good": {"up": {"entry": "CCA_CLASS2_VS_CLASS1", "direction": "down"}, "title": "class 1"}, "poor": {"up": {"entry": "CCA_CLASS2_VS_CLASS1"}, "title": "class 2"}},
        "caveat": "No labelled expression was at hand: how often the calls are right is not known.",
    },
    "hb_c1c2": {
        "title": "Hepatoblastoma C1 and C2 (the lists say rC1 and rC2)", "cancers": ["HB"], "pmid": "19061838",
        "classes": {"C1": {"up": {"entry": "HEPATOBLASTOMA_RC2_VS_RC1", "direction": "down"}, "title": "fetal"}, "C2": {"up": {"entry": "HEPATOBLASTOMA_RC2_VS_RC1"}, "title": "immature, proliferative"}},
        "caveat": "No hepatoblastoma expression was at hand: no frozen reference, and no calls were checked.",
    },
    "hb_16gene": {
        "title": "Hepatoblastoma C1 and C2 by 16 genes", "cancers": ["HB"], "pmid": "19061838", "least": 6,
        "classes": {"C1": {"up": {"entry": "HB_16GENE_C2_VS_C1", "direction": "down"}, "title": "fetal"}, "C2": {"up": {"entry": "HB_16GENE_C2_VS_C1"}, "title": "immature, proliferative"}},
        "caveat": "Not the published classifier's own procedure; no hepatoblastoma expression was at hand.",
    },
}  # fmt: skip


def main() -> None:
    """Write every scheme."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gmt", type=Path)
    parser.add_argument("--hcc", type=Path, required=True)
    parser.add_argument("--cca", type=Path, required=True)
    arguments = parser.parse_args()
    lists = current(SignatureCollection.read(arguments.gmt), str(arguments.gmt))
    cohorts = {"HCC": (ad.read_h5ad(arguments.hcc), "TCGA-LIHC"), "CCA": (ad.read_h5ad(arguments.cca), "TCGA-CHOL")}
    FOLDER.mkdir(exist_ok=True)
    for name, described in SCHEMES.items():
        path = FOLDER / f"{name}.yaml"
        document = _document(name, described, lists)
        _write(path, document)
        if described["cancers"][0] in cohorts:
            cohort, title = cohorts[described["cancers"][0]]
            _write(path, document | {"reference": _reference(path, cohort, title)})


def _document(name: str, described: dict[str, Any], lists: SignatureCollection) -> dict[str, Any]:
    cancer = described["cancers"][0]
    classes, used = {}, []
    for label, part in described["classes"].items():
        own: dict[str, Any] = {"title": part["title"]} if "title" in part else {}
        for direction in ("up", "down"):
            listed = part.get(direction)
            if isinstance(listed, str):
                used.append(listed)
                own[direction] = sorted(lists[listed].up)
            elif listed:
                own[direction] = listed
        classes[label] = own
    document: dict[str, Any] = {"id": name, "title": described["title"], "version": 1, "cancers": described["cancers"]}
    document |= {"classes": classes, "least": described.get("least", 10)}
    if cancer == "HCC":
        document |= {"identity": LIVER, "against": [NO_CCA]}
    else:
        document["against"] = [NO_HCC] if cancer == "CCA" else [NO_ADULT, NO_CCA | {"margin": 0.1}]
    sources = [{"name": f"MSigDB {u}", "role": "list", "version": "2023.1.Hs"} for u in used]
    sources.append({"name": "Study behind the lists", "role": "rationale", "pmid": described["pmid"]})
    return document | {"sources": sources, "licence": "CC-BY-4.0 (MSigDB)", "caveat": described["caveat"]}


def _reference(path: Path, cohort: ad.AnnData, title: str) -> dict[str, Any]:
    chosen = scheme(path)
    markers = read_markers(cohort, chosen, None)
    x = markers.values
    scores = x @ rank_weights(markers).T
    genes = {
        g: [round(float(m), 3), round(float(s), 3)]
        for g, m, s in zip(markers.genes, x.mean(axis=0), x.std(axis=0), strict=True)
    }
    by_class = {
        c: [round(float(v.mean()), 4), round(float(v.std()), 4)] for c, v in zip(markers.classes, scores.T, strict=True)
    }
    return {"cohort": f"{title}, {len(x)} tumours, RNA-seq", "n": len(x), "genes": genes, "scores": by_class}


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.ignore_aliases = lambda *_: True  # type: ignore[method-assign,assignment]


def _write(path: Path, document: dict[str, Any]) -> None:
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True, default_flow_style=None)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
