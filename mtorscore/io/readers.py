"""The registry of readers: each is declared in its own file and listed here, and nowhere else."""

from __future__ import annotations

from mtorscore.io import text_table
from mtorscore.io.formats import archive, binary, gct, gene_lists, mudata, quantifiers, tenx
from mtorscore.io.formats.reader import Reader
from mtorscore.io.portals import cbioportal, clinical_columns, firehose_icgc, gdc, geo, geo_series, geo_soft
from mtorscore.io.sections import spatial_data, ten_x

__all__ = ["BY_KIND", "READERS"]

# Where two readers recognise a file, the first decides.
READERS: tuple[Reader, ...] = (
    *geo.READERS,
    geo_soft.READER,
    *ten_x.READERS,
    spatial_data.READER,
    mudata.READER,
    *binary.READERS,
    *cbioportal.READERS,
    *tenx.READERS,
    geo_series.READER,
    *gct.READERS,
    *gdc.READERS,
    quantifiers.READER,
    *gene_lists.READERS,
    firehose_icgc.FIREHOSE,
    clinical_columns.READER,
    firehose_icgc.ICGC,
    text_table.READER,
    archive.READER,
)
BY_KIND: dict[str, Reader] = {kind: reader for reader in READERS for kind in reader.kinds}
