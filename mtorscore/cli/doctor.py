"""Say whether this installation is sound: ``doctor``."""

from __future__ import annotations

import json
import platform
import shutil
import time
from importlib import metadata
from importlib.util import find_spec
from typing import Annotated

import typer

__all__ = ["register"]

_NEEDED = ("anndata", "gseapy", "numba", "numpy", "pandas", "scanpy", "scikit-learn", "scipy", "snakemake")
_OPTIONAL = {"sksurv": "scikit-survival", "dask": "dask", "zarr": "zarr"}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(doctor)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """Check the environment: versions, library, cache, disk, a small sample run.

    The exit code is 1 where the sample run is not sound. Paste the output into a bug report.

    For example:

        mtorscore doctor
    """
    checks = _checks()
    if as_json:
        typer.echo(json.dumps(checks, indent=2))
    else:
        from rich.console import Console
        from rich.table import Table

        grid = Table("check", "result")
        for name, result in checks.items():
            grid.add_row(name, result)
        Console().print(grid)
    if not checks["sample run"].startswith("sound"):
        raise typer.Exit(1)


def _checks() -> dict[str, str]:
    from mtorscore._version import __version__
    from mtorscore.collection import library
    from mtorscore.io.download.fetching import cache_folder

    found: dict[str, str] = {}
    found["mtorscore"] = __version__
    found["python"] = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    for name in _NEEDED:
        found[name] = metadata.version(name)
    for module, name in _OPTIONAL.items():
        found[f"{name} (optional)"] = metadata.version(name) if find_spec(module) else "not installed"
    signatures = library()
    found["signature library"] = f"{len(signatures)} entries, version {signatures.version}, {signatures.hash}"
    found["sample run"] = _sample_run()
    found["free disk here"] = f"{shutil.disk_usage('.').free / 1e9:.1f} GB"
    cache = cache_folder()
    files = [p for p in cache.rglob("*") if p.is_file()] if cache.is_dir() else []
    found["cache"] = f"{cache} ({len(files)} files, {sum(p.stat().st_size for p in files) / 1e6:.1f} MB)"
    return found


def _sample_run() -> str:
    import numpy as np
    import pandas as pd

    from mtorscore import SignatureScorer

    table = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 50)), columns=[f"g{i}" for i in range(50)])
    start = time.perf_counter()
    scores = SignatureScorer({"s": ["g0", "g1", "g2"]}, method="singscore").fit_transform(table)
    again = SignatureScorer({"s": ["g2", "g0", "g1"]}, method="singscore").fit_transform(table.iloc[:, ::-1])
    took = f"({time.perf_counter() - start:.1f} s)"
    if not np.isfinite(np.asarray(scores)).all():
        return f"UNSOUND: scores are not finite {took}"
    same = np.array_equal(np.asarray(scores), np.asarray(again))
    return f"sound {took}" if same else f"UNSOUND: scores depend on the order of genes {took}"
