"""What a cohort-dependent method learned, frozen, so that new observations are scored against it and nothing else."""

from __future__ import annotations

import hashlib
import json
import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mtorscore._atomic import atomic
from mtorscore.errors import FormatError, MethodError, ReferenceMismatchError, examples
from mtorscore.tl.engine.gene_sets import State

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["Reference", "universe_hash"]

FORMAT = "mtorscore-reference/1"
LARGEST_HEADER = 1 << 28
# What reading a damaged archive, or a header that is none, may raise: each becomes one clear error.
DAMAGE = (
    ValueError, KeyError, TypeError, AttributeError, EOFError, OSError, NotImplementedError, MemoryError,
    RecursionError, SyntaxError, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def universe_hash(genes: Iterable[str]) -> str:
    """SHA-256 over the sorted gene names, the first 16 hexadecimal digits: which genes, not in which order."""
    return hashlib.sha256("\n".join(sorted(str(g) for g in genes)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Reference:
    """The frozen state of one method on one cohort.

    Parameters
    ----------
    method, params
        The method and its parameters.
    genes
        The gene universe, in the cohort's column order.
    signatures
        Signature id -> gene -> signed weight.
    signature_hash
        Hash of the collection.
    state
        Arrays that the method learned; empty for single-sample methods.
    score_names, score_mean, score_sd
        Mean and standard deviation (n - 1) of the cohort's scores: what composites are standardised by.
    n_obs
        Observations of the cohort.
    version
        The mtorscore version that learned it.
    """

    method: str
    params: Mapping[str, Any]
    genes: tuple[str, ...]
    signatures: Mapping[str, Mapping[str, float]]
    signature_hash: str
    state: State = field(default_factory=dict)
    score_names: tuple[str, ...] = ()
    score_mean: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    score_sd: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    n_obs: int = 0
    version: str = ""

    @property
    def hash(self) -> str:
        """Hash of the gene universe."""
        return universe_hash(self.genes)

    @property
    def digest(self) -> str:
        """Digest of all that the reference holds: two references with the same digest give the same scores."""
        return _checksum(*self._content())[:16]

    def _content(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Return header and arrays as they are saved."""
        header: dict[str, Any] = {
            "format": FORMAT,
            "method": self.method,
            "params": dict(self.params),
            "genes": list(self.genes),
            "signatures": {k: dict(v) for k, v in self.signatures.items()},
            "signature_hash": self.signature_hash,
            "score_names": list(self.score_names),
            "n_obs": self.n_obs,
            "version": self.version,
        }
        arrays = {f"state/{k}": np.asarray(v) for k, v in self.state.items()}
        arrays |= {"score_mean": self.score_mean, "score_sd": self.score_sd}
        return header, arrays

    def columns_in(self, universe: Sequence[str], *, policy: str = "refuse") -> npt.NDArray[np.int64] | None:
        """Return the columns of this reference's genes in another matrix, or None if they are the same.

        Parameters
        ----------
        universe
            Gene names of the other matrix.
        policy
            ``"refuse"``: the matrix must hold the same genes, in any order. ``"align"``: further genes of the matrix
            are left out; genes that it lacks are still an error.

        Raises
        ------
        ReferenceMismatchError
            If the genes do not fit.
        """
        if policy not in ("refuse", "align"):
            raise MethodError(f"universe={policy!r} is not known; choose 'refuse' or 'align'.")
        names = [str(g) for g in universe]
        if tuple(names) == self.genes:
            return None
        place = {g: i for i, g in enumerate(names)}
        absent = [g for g in self.genes if g not in place]
        mine = set(self.genes)
        more = [g for g in names if g not in mine]
        if len(place) < len(names):
            raise ReferenceMismatchError("The matrix names some genes twice, so it cannot be matched to a reference.")
        if absent or (more and policy == "refuse"):
            raise ReferenceMismatchError(
                f"The reference for {self.method} was learned on {len(self.genes)} genes; this matrix lacks "
                f"{len(absent)} of them ({examples(absent) or 'none'}) and has {len(more)} others "
                f"({examples(more) or 'none'}). Score a matrix with the same genes"
                + ("." if absent else ", or say universe='align' to leave the others out.")
            )
        return np.array([place[g] for g in self.genes], dtype=np.int64)

    def check_signatures(self, signature_hash: str) -> None:
        """Refuse a collection other than the one that was learned with."""
        if signature_hash != self.signature_hash:
            raise ReferenceMismatchError(
                f"The reference for {self.method} was learned with other signatures (hash {self.signature_hash}, here "
                f"{signature_hash}). Fit it again with these, or score with the signatures that it holds."
            )

    def standardised_by(self, scores: pd.DataFrame) -> Reference:
        """Return this reference with composites standardised by these observations.

        Parameters
        ----------
        scores
            Observations x signatures, scored against this reference: such as its normal samples only.

        Returns
        -------
        Reference
            The same state of the method, another mean and SD. `n_obs` stays the size of the cohort that was learned.
        """
        names = tuple(str(name) for name in scores.columns if str(name) in self.signatures)
        values = scores[list(names)].to_numpy(dtype=np.float64)
        mean = np.full(len(names), np.nan)
        sd = mean.copy()
        known = (~np.isnan(values)).sum(axis=0)
        mean[known > 0] = np.nanmean(values[:, known > 0], axis=0)
        sd[known > 1] = np.nanstd(values[:, known > 1], axis=0, ddof=1)
        return replace(self, score_names=names, score_mean=mean, score_sd=sd)

    def save(self, path: str | Path) -> Path:
        """Write to one file: numpy arrays and a JSON header in a zip archive; nothing in it can run code.

        Parameters
        ----------
        path
            Such as ``lihc.ref.npz``. Written under another name first, then moved.
        """
        target = Path(path)
        header, arrays = self._content()
        header["sha256"] = _checksum(header, arrays)
        with atomic(target) as temporary, temporary.open("wb") as out:
            np.savez_compressed(
                out,
                header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
                **arrays,  # type: ignore[arg-type]
            )
        return target

    @classmethod
    def load(cls, path: str | Path) -> Reference:
        """Read what `save` wrote.

        Raises
        ------
        FormatError
            If the file is something else.
        """
        if not Path(path).is_file():
            raise FormatError("There is no such file; save a reference with Reference.save first.", path=path)
        header, arrays = _read_archive(path)
        if header.pop("sha256", None) != _checksum(header, arrays):
            raise FormatError(
                "The reference is damaged or was edited: its content does not have the checksum that it was saved "
                "with. Save it anew from the cohort.",
                path=path,
            )
        missing = {"score_mean", "score_sd"} - arrays.keys()
        missing |= {f.name for f in fields(cls) if f.name not in ("state", "score_mean", "score_sd")} - header.keys()
        if missing:
            raise FormatError(f"The reference lacks {examples(sorted(missing))}; save it anew.", path=path)
        state = {k.removeprefix("state/"): v for k, v in arrays.items() if k.startswith("state/")}
        mean, sd = arrays["score_mean"], arrays["score_sd"]
        _check_header(header, path)
        _check_state(header, state, (mean, sd), path)
        return cls(
            method=header["method"],
            params=header["params"],
            genes=tuple(header["genes"]),
            signatures=header["signatures"],
            signature_hash=header["signature_hash"],
            state=state,
            score_names=tuple(header["score_names"]),
            score_mean=mean,
            score_sd=sd,
            n_obs=header["n_obs"],
            version=header["version"],
        )


def _read_archive(path: str | Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return the header and the arrays of a saved reference."""
    try:
        # Opened here, so that it is closed whatever is found in it.
        with Path(path).open("rb") as file:
            _check_members(file)
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {k: archive[k] for k in archive.files if k != "header"}
            raw = archive["header"].tobytes()
        header: dict[str, Any] = json.loads(raw.decode())
        stored = header["format"]
    except DAMAGE as error:
        raise FormatError("This is not a saved reference.", path=path) from error
    if stored != FORMAT:
        raise FormatError(f"The reference is of format {stored}, not {FORMAT}.", path=path)
    return header, arrays


def _check_header(header: Mapping[str, Any], path: str | Path) -> None:
    """Refuse a header whose values are not what a reference has there; a checksum can be computed by anybody."""

    def names(key: str) -> bool:
        values = header[key]
        return isinstance(values, list) and all(isinstance(v, str) for v in values)

    def weights(table: object) -> bool:
        numbers = table.values() if isinstance(table, dict) else [None]
        return all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in numbers)

    signatures, n_obs = header["signatures"], header["n_obs"]
    good = {
        "genes": names("genes"),
        "score_names": names("score_names"),
        "signatures": isinstance(signatures, dict) and all(map(weights, signatures.values())),
        "params": isinstance(header["params"], dict),
        "n_obs": isinstance(n_obs, int) and not isinstance(n_obs, bool) and n_obs >= 1,
        **{k: isinstance(header[k], str) for k in ("method", "signature_hash", "version")},
    }
    bad = [k for k, fine in good.items() if not fine]
    if bad:
        raise FormatError(f"The reference holds something else as {examples(bad)} than a reference does.", path=path)


def _check_state(
    header: Mapping[str, Any], state: State, moments: tuple[npt.NDArray[Any], ...], path: str | Path
) -> None:
    """Refuse a state that does not fit to its method and genes: compiled code does not look before it reads."""
    from mtorscore.tl.engine import registry
    from mtorscore.tl.engine.spec import StateSizes, is_vector

    try:
        spec = registry.get(header["method"])
        known = {p.name: p for p in spec.params}
        own = {k: v for k, v in header["params"].items() if k in known and known[k].kind != "genes"}
        params = registry.check_params(spec, own)
    except MethodError as error:
        raise FormatError(f"The reference belongs to no known method: {error}", path=path) from error
    genes = set(header["genes"])
    present = [genes & set(weights) for weights in header["signatures"].values()]
    sizes = StateSizes(len(header["genes"]), len(set().union(*present)), sum(map(len, present)))
    columns = [v for k, v in header["params"].items() if k in known and known[k].kind == "genes" and v is not None]
    inside = all(isinstance(v, list) and all(isinstance(c, int) and 0 <= c < sizes.n_vars for c in v) for v in columns)
    fits = all(is_vector(m, len(header["score_names"]), np.floating) for m in moments)
    learned = spec.learns(params)
    if not inside or not fits or (learned and spec.sound is not None and not spec.sound(state, sizes, params)):
        raise FormatError(
            f"What the reference holds for {spec.name} does not fit to its genes and signatures; save it anew from "
            "the cohort.",
            path=path,
        )


def _check_members(file: Any) -> None:
    """Refuse an archive with other members, or with arrays larger than what it holds, before anything is unpacked."""
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name not in ("header", "score_mean", "score_sd") and not name.startswith("state/"):
                raise ValueError(f"The archive holds {member.filename}.")
            with archive.open(member) as stream:
                version = np.lib.format.read_magic(stream)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(stream)
                size = math.prod(shape) * dtype.itemsize
                if size != member.file_size - stream.tell() or (name == "header" and size > LARGEST_HEADER):
                    raise ValueError(f"{member.filename} is not of the size that it claims.")


def _checksum(header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """SHA-256 over all that a saved reference holds, whatever the order."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        a = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {a.dtype.str} {a.shape}".encode())
        digest.update(a.tobytes())
    return digest.hexdigest()
