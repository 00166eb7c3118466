"""Step 1: make sure that a cohort's raw files are there, and record what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtorscore.errors import ConfigError
from mtorscore.pipeline._files import atomic, write_json

__all__ = ["acquire"]


def acquire(recipe: str, manifest: str | Path, *, data: str | Path | None = None, simulate: Any = None) -> Path:
    """Record the raw files of a cohort with size and SHA-256; simulate them where the recipe says so.

    Parameters
    ----------
    recipe
        Id of a shipped recipe, a path to one, or ``"simulated"``.
    manifest
        The JSON file to write. A simulated cohort is written beside it.
    data
        Folder that holds the raw files of a real cohort.
    simulate
        Keyword arguments of `mtorscore.datasets.simulate_cohort`, for a simulated cohort.

    Returns
    -------
    pathlib.Path
        The manifest.

    Raises
    ------
    DataError
        If a file is missing or the data folder is not given.
    ConfigError
        If the simulation's arguments do not fit.
    """
    manifest = Path(manifest)
    if recipe == "simulated":
        return _simulate(manifest, dict(simulate or {}))
    from mtorscore.pp import load_recipe, recipe_files

    loaded = load_recipe(recipe)
    files = recipe_files(loaded, data)
    content = {"recipe": recipe, "files": [_describe(path) for path in files]}
    return write_json(content, manifest)


def _simulate(manifest: Path, arguments: dict[str, Any]) -> Path:
    import inspect
    from difflib import get_close_matches

    from mtorscore.datasets import simulate_cohort

    known = list(inspect.signature(simulate_cohort).parameters)
    for name in arguments:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else f" There are {', '.join(known)}."
            raise ConfigError(f"simulate: no argument of simulate_cohort is called {name!r}.{hint}")
    for name in ("n_tumours", "n_normals", "n_genes"):
        if not isinstance(arguments.get(name, 1), int):
            raise ConfigError(f"simulate: {name} must be a whole number, not {arguments[name]!r}.")
    adata = simulate_cohort(**arguments)
    target = manifest.with_name("simulated.h5ad")
    with atomic(target) as temporary:
        adata.write_h5ad(temporary)
    return write_json({"recipe": "simulated", "arguments": arguments, "files": [{"path": target.name}]}, manifest)


def _describe(path: Path) -> dict[str, Any]:
    import hashlib

    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return {"path": path.name, "bytes": path.stat().st_size, "sha256": digest}
