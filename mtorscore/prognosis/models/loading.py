"""Models read from files, and compared with the signatures at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtorscore.collection import as_collection, library
from mtorscore.errors import DataWarning, ReferenceMismatchError, examples, warn
from mtorscore.prognosis.models import model_file
from mtorscore.prognosis.models.fitted import FittedModel
from mtorscore.prognosis.models.model_header import checked_fields

__all__ = ["load_model"]


def load_model(path: str | Path, signatures: Any = None) -> FittedModel:
    """Read a model that `FittedModel.save` wrote; nothing in the file is executed.

    Parameters
    ----------
    path
        The file.
    signatures
        A collection to check the model's signatures against: other definitions are refused. By default they are
        compared with the shipped library, and a difference is a warning, since the model brings its own.

    Returns
    -------
    FittedModel
        The model.

    Raises
    ------
    FormatError
        If the file is damaged, too large or not a model.
    ReferenceMismatchError
        If `signatures` differ from those of the model.
    """
    header, arrays, reference = model_file.read(Path(path))
    model = FittedModel(reference=reference, **checked_fields(header, arrays, Path(path)))
    if header["format"] == model_file.FIRST:
        unsaid = ["horizon", "scoring method", "training patients", "digest"]
        unsaid += [f"levels of {c.column}, if it was ordered" for c in model.codings if c.kind == "number or position"]
        warn(
            f"Model {model.name} was written by mtorscore 0.1.0 and does not say: {', '.join(unsaid)}. What it says is "
            "read as it was meant; fit it again with fit_model to have the rest compared.",
            DataWarning,
        )
    _compare(model, signatures, Path(path))
    return model


def _compare(model: FittedModel, signatures: Any, path: Path) -> None:
    """Refuse other signatures than the model's, or (for the shipped library) say that they changed."""
    known = library(experimental=True) if signatures is None else as_collection(signatures)
    changed = [n for n, s in model.signatures.items() if n in known and known[n].hash != s["hash"]]
    absent = [n for n in model.signatures if n not in known]
    if signatures is not None and (changed or absent):
        raise ReferenceMismatchError(
            f"{path}: {len(changed)} signature(s) of the model are defined otherwise ({examples(changed) or 'none'}) "
            f"and {len(absent)} are missing ({examples(absent) or 'none'}). Use the definitions that the model holds "
            "(load it without `signatures`), or fit it again."
        )
    if changed:
        warn(
            f"{len(changed)} signature(s) of model {model.name} have changed in the library since it was fitted "
            f"({examples(changed)}); score new data with the definitions stored in the model.",
            DataWarning,
        )
