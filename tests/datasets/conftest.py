from __future__ import annotations

import pytest

from mtorscore.collection import Signature, SignatureCollection


@pytest.fixture(scope="session")
def branches() -> SignatureCollection:
    """Disjoint signatures of four branches and three confounders, one of them falling with activity."""
    lists = {
        ("LIPOGENIC", "srebp1", 1): "ACACA ACLY FASN SCD ELOVL6 ME1 GPAM THRSP PNPLA3 FADS1 FADS2 INSIG1",
        ("STEROL", "srebp2", 1): "HMGCR HMGCS1 LDLR SQLE IDI1 FDFT1 MVD MVK LSS DHCR7 SC5D PCSK9",
        ("LYSOSOME", "autophagy_tfeb", -1): "CTSD CTSB LAMP1 GLA HEXA HEXB MCOLN1 ATP6V1H SQSTM1 UVRAG WIPI1 NEU1",
        ("RIBOSOME_BIOGENESIS", "s6k", 1): "NOP56 NOP58 FBL NCL NPM1 POLR1A POLR1B RRN3 UBTF NOLC1 RRP12 PES1",
        ("PROLIFERATION", "confounder", 0): "MKI67 PCNA TOP2A CCNB1 CDK1 BUB1 AURKA MCM2 MCM4 RRM2 TYMS",
        ("STROMA", "confounder", 0): "COL1A1 COL1A2 DCN LUM PTPRC CD3D CD68 VWF FAP",
        ("HEPATOCYTE_IDENTITY", "confounder", 0): "ALB APOA1 TTR TF CYP3A4 CYP2E1 SERPINA1",
    }
    return SignatureCollection(
        Signature(id=name, branch=branch, sign=sign, up=tuple(genes.split()))
        for (name, branch, sign), genes in lists.items()
    )
