"""Step 1: find a cohort's raw files and record them with their checksums."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore._atomic import atomic
from mtorscore.errors import ConfigError, nearest
from mtorscore.pipeline.table_files import write_json

if TYPE_CHECKING:
    from mtorscore.pp import Recipe

__all__ = ["acquire", "raw_state"]


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
    content = {"recipe": recipe, "recipe_hash": _recipe_hash(loaded), "files": [_describe(path) for path in files]}
    return write_json(content, manifest)


def raw_state(recipe: str, data: str | Path | None) -> list[list[Any]]:
    """Return the state of a cohort's raw files and recipe, so that the next run notices a change.

    Parameters
    ----------
    recipe, data
        As in `acquire`.

    Returns
    -------
    list
        The recipe's hash, then name, size and time of change of every raw file; empty for a simulated cohort, and
        where something is missing, which `acquire` reports.
    """
    from mtorscore.errors import MtorscoreError
    from mtorscore.pp import load_recipe, recipe_files

    if recipe == "simulated":
        return []
    try:
        loaded = load_recipe(recipe)
        paths = [inner for path in recipe_files(loaded, data) for inner in _members(path)]
    except (MtorscoreError, OSError):
        return []
    state = [path.stat() for path in paths]
    return [[_recipe_hash(loaded)], *([p.name, s.st_size, s.st_mtime_ns] for p, s in zip(paths, state, strict=True))]


def _recipe_hash(recipe: Recipe) -> str:
    import hashlib
    import json
    from dataclasses import asdict

    # Where the recipe lies and its notes change nothing.
    content = {key: value for key, value in asdict(recipe).items() if key not in ("path", "notes")}
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _members(path: Path) -> list[Path]:
    """Return a file, or the files of a folder (10x matrices, a cart of files) in order."""
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def _simulate(manifest: Path, arguments: dict[str, Any]) -> Path:
    import inspect

    from mtorscore.datasets import simulate_cohort

    known = list(inspect.signature(simulate_cohort).parameters)
    for name in arguments:
        if name not in known:
            near = nearest(name, known, 1)
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

    members = _members(path)
    whole = hashlib.sha256()
    for member in members:
        with member.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        if path.is_dir():
            whole.update(f"{member.relative_to(path)} {digest}\n".encode())
    content = {"path": path.name, "bytes": sum(m.stat().st_size for m in members)}
    return content | {"sha256": whole.hexdigest() if path.is_dir() else digest}
