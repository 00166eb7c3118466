"""Make the numbers that tests/tl/spatial/test_peers.py compares with: squidpy 1.8.2, esda 2.9, on two small sections.

Run in an environment with squidpy and esda: python tests/tl/spatial/make_golden.py
"""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

HERE = Path(__file__).parent
GRAPHS = {
    "grid": {"coord_type": "grid", "n_neighs": 6},
    "rings": {"coord_type": "grid", "n_neighs": 6, "n_rings": 2},
    "nearest": {"coord_type": "generic", "n_neighs": 5},
    "radius": {"coord_type": "generic", "radius": 1.4},
}


def inputs() -> pd.DataFrame:
    """Two sections of 110 spots: a pattern, noise with an offset between sections, both above 0."""
    rng = np.random.default_rng(11)
    parts = []
    for name in ("A", "B"):
        row, column = np.divmod(np.arange(110), 11)
        x, y = column + 0.5 * (row % 2), row * np.sqrt(3) / 2
        shift = 0.0 if name == "A" else 1.5
        parts.append(
            pd.DataFrame(
                {
                    "section": name,
                    # The grid of spots is not quite regular, so that no two distances are equal.
                    "x": x + rng.uniform(-0.02, 0.02, len(x)),
                    "y": y + rng.uniform(-0.02, 0.02, len(x)),
                    "patterned": 3 + np.sin(x / 2) + rng.normal(0, 0.4, len(x)) + shift,
                    "noise": 4 + rng.normal(0, 0.7, len(x)) + shift,
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    return table.sample(frac=1.0, random_state=0).reset_index(drop=True)


def main() -> None:
    """Write the inputs and the peers' numbers."""
    import squidpy as sq
    from esda import G, G_Local, Moran_Local
    from libpysal.weights import WSP
    from scipy import sparse

    table = inputs()
    table.to_csv(HERE / "sections.tsv", sep="\t", index=False)
    table = pd.read_csv(HERE / "sections.tsv", sep="\t")
    adata = ad.AnnData(table[["patterned", "noise"]].to_numpy(), obs=table[["section"]].astype("category"))
    adata.var_names = ["patterned", "noise"]
    adata.obsm["spatial"] = table[["x", "y"]].to_numpy()
    rows, degrees, local = [], {}, []
    for graph, options in GRAPHS.items():
        sq.gr.spatial_neighbors(adata, library_key="section", **options)
        degrees[graph] = np.asarray((adata.obsp["spatial_connectivities"] > 0).sum(axis=1)).ravel()
        for mode, column in (("moran", "I"), ("geary", "C")):
            found = sq.gr.spatial_autocorr(adata, mode=mode, copy=True)
            rows += [(graph, mode, s, found.loc[s, column]) for s in ("patterned", "noise")]
        w = WSP(sparse.csr_array(adata.obsp["spatial_connectivities"])).to_W(silence_warnings=True)
        w.transform = "r"
        for signature in ("patterned", "noise"):
            general = G(table[signature].to_numpy(), w, permutations=0)
            rows.append((graph, "getis_ord_binary", signature, general.G))
    for section in ("A", "B"):
        here = (table["section"] == section).to_numpy()
        own = adata[here].copy()
        sq.gr.spatial_neighbors(own, coord_type="grid", n_neighs=6)
        w = WSP(sparse.csr_array(own.obsp["spatial_connectivities"])).to_W(silence_warnings=True)
        for signature in ("patterned", "noise"):
            y = own[:, signature].X.ravel()
            star = G_Local(y, w, transform="B", star=True, permutations=0).Zs
            w.transform = "r"
            moran = Moran_Local(y, w, permutations=0).Is
            local += list(zip(np.flatnonzero(here), [signature] * len(y), star, moran, strict=True))
    pd.DataFrame(rows, columns=["graph", "statistic", "signature", "value"]).to_csv(
        HERE / "squidpy.tsv", sep="\t", index=False
    )
    pd.DataFrame(degrees).to_csv(HERE / "squidpy_degrees.tsv", sep="\t", index=False)
    pd.DataFrame(local, columns=["row", "signature", "g_star", "local_moran"]).to_csv(
        HERE / "esda_local.tsv", sep="\t", index=False
    )


if __name__ == "__main__":
    main()
