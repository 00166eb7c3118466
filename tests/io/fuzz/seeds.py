# ruff: noqa: E501
"""Small files of every text format, grouped so that each group of readers is fuzzed for its share of the time."""

from __future__ import annotations

from tests.io.test_fuzz import SEEDS

QUANT = {
    "salmon": "Name\tLength\tEffectiveLength\tTPM\tNumReads\nENST00000269305.9\t9\t8\t1.5\t3\nENST00000295897.1\t9\t8\t2\t4\n",
    "kallisto": "target_id\tlength\teff_length\test_counts\ttpm\nENST00000269305\t9\t8\t3\t1\n",
    "rsem": "gene_id\ttranscript_id(s)\tlength\teffective_length\texpected_count\tTPM\tFPKM\nENSG00000141510\ta,b\t9\t8\t3\t1\t2\n",
    "star": "N_unmapped\t1\t2\t3\nN_noFeature\t1\t2\t3\nENSG00000141510.1\t1\t2\t3\nENSG00000163631\t1\t2\t3\n",
    "featurecounts": "# Program:featureCounts\nGeneid\tChr\tStart\tEnd\tStrand\tLength\t/a/S1.bam\nENSG00000141510\t1;1\t1\t2\t+\t9\t5\n",
    "cufflinks": "tracking_id\tgene_short_name\tFPKM\tFPKM_status\nENSG00000141510\tTP53\t1.5\tOK\n",
    "htseq": "ENSG00000141510\t1\nENSG00000163631\t2\nENSG00000136997\t2\nENSG00000146648\t1\nENSG00000169710\t3\n__no_feature\t5\n",
    "firehose": "Hybridization REF\tTCGA-AA-0001-01A\ngene_id\tnormalized_count\nTP53|7157\t1.5\nALB|213\t2\n",
    "measures": "gene_id\tS1_count\tS1_FPKM\nTP53\t1\t2\nALB\t3\t4\n",
    "titles": "Table S1\n\ngene\tA\tB\tC\nTP53\t1\t2\t3\nALB\t4\t5\t6\n",
    "comment": "#gene\tA\tB\nTP53\t1\t2\nALB\t4\t5\n",
    "sep": "sep=;\ngene;A;B\nTP53;1,5;2\nALB;4;5\n",
}
LISTS = {
    "features": "ENSG00000141510\tTP53\tGene Expression\nENSG00000163631\tALB\tGene Expression\n",
    "list": "TP53\nALB\nMYC\n",
    "sheet": "File ID\tFile Name\tSample ID\na\tb.tsv\tTCGA-AA-0001-01A\n",
    "firehose": "patient.bcr_patient_barcode\tpatient.vital_status\tpatient.days_to_death\ntcga-aa-0001\tdead\t5\n",
}
_GROUP_OF = {
    "tables": ("table", "csv"),
    "geo": ("series", "soft", "gds", "annot"),
    "portals": ("star", "meta", "manifest", "cbio", "gdc", "biotab", "icgc", "expseq", "json"),
    "small": ("mtx", "gct", "gct13", "cls"),
}
GROUPS: dict[str, dict[str, str]] = {group: {n: SEEDS[n] for n in names} for group, names in _GROUP_OF.items()}
GROUPS["tables"] |= {n: QUANT[n] for n in ("titles", "comment", "sep", "measures", "firehose")}
GROUPS["small"] |= {n: LISTS[n] for n in ("features", "list")}
GROUPS["portals"] |= {n: LISTS[n] for n in ("sheet", "firehose")}
GROUPS["quantifiers"] = {
    n: QUANT[n] for n in ("salmon", "kallisto", "rsem", "star", "featurecounts", "htseq", "cufflinks")
}
# What each is read as: kind, observations, variables, sum of the values. Two measures side by side are refused.
READ_AS = {
    "tables/table": ("table", 4, 12, 3035.62),
    "tables/csv": ("table", 4, 12, 3035.62),
    "tables/titles": ("table", 3, 2, 21),
    "tables/comment": ("table", 2, 2, 12),
    "tables/sep": ("table", 2, 2, 12.5),
    "tables/firehose": ("firehose-matrix", 1, 2, 3.5),
    "geo/series": ("geo-series-matrix", 2, 2, 7.5),
    "geo/soft": ("geo-soft", 1, 1, 1.5),
    "geo/gds": ("geo-dataset", 2, 2, 10),
    "geo/annot": ("geo-annotation", 0, 1, 0),
    "portals/star": ("gdc-star-counts", 1, 8, 36),
    "portals/meta": ("cbioportal-meta", 2, 0, 0),
    "portals/manifest": ("gdc-manifest", 1, 0, 0),
    "portals/cbio": ("clinical:cbioportal-clinical", 2, 0, 0),
    "portals/gdc": ("clinical:gdc-clinical", 1, 0, 0),
    "portals/biotab": ("clinical:biotab", 2, 0, 0),
    "portals/icgc": ("clinical:icgc-donor", 1, 0, 0),
    "portals/expseq": ("icgc-exp-seq", 1, 2, 4),
    "portals/json": ("gdc-cart", 1, 0, 0),
    "portals/sheet": ("gdc-sample-sheet", 1, 0, 0),
    "portals/firehose": ("clinical:firehose", 1, 0, 0),
    "small/mtx": ("mtx", 2, 3, 13),
    "small/gct": ("gct", 2, 3, 21),
    "small/gct13": ("gct", 2, 2, 10),
    "small/cls": ("cls", 4, 0, 0),
    "small/features": ("10x-features", 0, 2, 0),
    "small/list": ("list", 0, 3, 0),
    "quantifiers/salmon": ("salmon", 1, 2, 3.5),
    "quantifiers/kallisto": ("kallisto", 1, 1, 1),
    "quantifiers/rsem": ("rsem", 1, 1, 1),
    "quantifiers/star": ("star-counts", 1, 2, 2),
    "quantifiers/featurecounts": ("featurecounts", 1, 1, 5),
    "quantifiers/htseq": ("htseq-counts", 1, 5, 9),
    "quantifiers/cufflinks": ("cufflinks", 1, 1, 1.5),
}
