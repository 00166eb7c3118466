"""Say whether this installation is sound: ``doctor``."""

from __future__ import annotations

import platform
import shutil
import time
from importlib import metadata
from importlib.util import find_spec

import typer

__all__ = ["register"]

_NEEDED = ("anndata", "gseapy", "numba", "numpy", "pandas", "scanpy", "scikit-learn", "scipy", "snakemake")
_OPTIONAL = {"sksurv": "scikit-survival", "dask": "dask", "zarr": "zarr"}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(doctor)


def doctor() -> None:
    """Check the environment: versions, library, a small sample run."""
    from rich.console import Console
    from rich.table import Table

    from mtorscore import __version__, library

    grid = Table("check", "result")
    grid.add_row("mtorscore", __version__)
    grid.add_row("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in _NEEDED:
        grid.add_row(name, metadata.version(name))
    for module, name in _OPTIONAL.items():
        grid.add_row(f"{name} (optional)", metadata.version(name) if find_spec(module) else "not installed")
    signatures = library()
    grid.add_row("signature library", f"{len(signatures)} entries, version {signatures.version}, {signatures.hash}")
    grid.add_row("sample run", _sample_run())
    grid.add_row("free disk here", f"{shutil.disk_usage('.').free / 1e9:.1f} GB")
    Console().print(grid)


def _sample_run() -> str:
    import numpy as np
    import pandas as pd

    from mtorscore import SignatureScorer

    table = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 50)), columns=[f"g{i}" for i in range(50)])
    start = time.perf_counter()
    scores = SignatureScorer({"s": ["g0", "g1", "g2"]}, method="singscore").fit_transform(table)
    finite = bool(np.isfinite(np.asarray(scores)).all())
    return f"{'sound' if finite else 'UNSOUND: scores are not finite'} ({time.perf_counter() - start:.1f} s)"
