"""`SignatureScorer`: the scoring engine as a scikit-learn transformer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from mtorscore.collection import Composite, SignatureCollection, SignaturesLike, as_collection
from mtorscore.errors import DataError
from mtorscore.tl.engine import registry
from mtorscore.tl.engine.execute import execute
from mtorscore.tl.engine.open_source import open_source
from mtorscore.tl.engine.outcome import finish, freeze, reasons, score_columns
from mtorscore.tl.engine.plan import Plan
from mtorscore.tl.engine.prepare import ScoreOptions, prepare
from mtorscore.tl.engine.reference import Reference
from mtorscore.tl.engine.source import Source

__all__ = ["SignatureScorer"]

UNFITTED = (
    "This %(name)s instance is not fitted yet: call fit on the training cohort first, or make a fitted one of a saved "
    "reference with SignatureScorer.from_reference(tl.Reference.load(path))."
)


class SignatureScorer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Score observations; `fit` learns the reference, `transform` never looks beyond it.

    Parameters
    ----------
    signatures
        A collection, a mapping of names to genes, a path, or None for the shipped library.
    method
        One of `mtorscore.tl.methods`.
    params
        Parameters of the method.
    min_coverage
        Signatures with a smaller share of their genes in the matrix get NaN.
    layer
        Layer to take from an AnnData instead of ``.X``.
    universe
        ``"refuse"`` or ``"align"``: what to do about genes that `fit` has not seen, when data with gene names come.
    threads
        Row blocks worked on at the same time.

    Attributes
    ----------
    reference_ : Reference
        What was learned; `Reference.save` writes it, and `from_reference` makes a fitted scorer of it.
    coverage_ : pandas.DataFrame
        Matched and total genes per signature and direction.
    n_features_in_, feature_names_in_
        As in scikit-learn. Unnamed columns are called x0, x1, ...

    Examples
    --------
    >>> import numpy as np
    >>> from mtorscore import SignatureScorer
    >>> x = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    >>> SignatureScorer({"s": ["x2"]}).fit_transform(x)
    array([[ 0.5],
           [-0.5]])
    """

    def __init__(
        self,
        signatures: SignaturesLike = None,
        method: str = "singscore",
        *,
        params: Mapping[str, Any] | None = None,
        min_coverage: float = 0.0,
        layer: str | None = None,
        universe: str = "refuse",
        threads: int | None = 1,
    ) -> None:
        self.signatures = signatures
        self.method = method
        self.params = params
        self.min_coverage = min_coverage
        self.layer = layer
        self.universe = universe
        self.threads = threads

    def fit(self, X: Any, y: Any = None) -> SignatureScorer:
        """Learn what the method needs of a cohort: nothing, for single-sample methods.

        Parameters
        ----------
        X
            ``(n_obs, n_vars)`` expression: AnnData, DataFrame, array or sparse matrix.
        y
            Ignored.
        """
        del y
        self._fit(X)
        return self

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Learn from a cohort and score it; the same as `fit`, then `transform`."""
        del fit_params
        return self.fit(X, y).transform(X)

    def transform(self, X: Any) -> Any:
        """Score observations against what was learned.

        Parameters
        ----------
        X
            ``(n_obs, n_vars)`` with the genes that `fit` saw.

        Returns
        -------
        numpy.ndarray or pandas.DataFrame
            Observations x signatures; a DataFrame where `X` is a DataFrame or an AnnData.
        """
        check_is_fitted(self, "reference_", msg=UNFITTED)
        source, names, index = self._open(X, reset=False)
        collection, options = self._asked(self.reference_)
        source, (plan,) = prepare(source, names, collection, options, say=False)
        scored = execute(source, [plan], threads=self.threads)[0]
        outcome = finish(plan, scored, collection, self.reference_)
        if index is None:
            return outcome.scores
        import pandas as pd

        return pd.DataFrame(outcome.scores, index=index, columns=outcome.names)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of signatures and composites; `input_features` is not used."""
        del input_features
        check_is_fitted(self, "reference_")
        return np.array(score_columns(as_collection(self.signatures)), dtype=object)

    @classmethod
    def from_reference(cls, reference: Reference, signatures: SignaturesLike = None) -> SignatureScorer:
        """Make a fitted scorer of a saved reference.

        Parameters
        ----------
        reference
            What `Reference.load` returned.
        signatures
            The collection that it was learned with; None takes the signatures stored in the reference, without
            composites.
        """
        if signatures is None:
            stored = as_collection({k: dict(v) for k, v in reference.signatures.items()})
            reference = replace(reference, signature_hash=stored.hash)
            signatures = stored
        genes = set(reference.params)
        spec = registry.get(reference.method)
        params = {p.name: reference.params[p.name] for p in spec.params if p.name in genes}
        for param in spec.params:
            if param.kind == "genes" and params.get(param.name) is not None:
                params[param.name] = [reference.genes[c] for c in params[param.name]]
        self = cls(signatures, reference.method, params=params)
        reference.check_signatures(as_collection(signatures).hash)
        self.reference_ = reference
        self.n_features_in_ = len(reference.genes)
        self.feature_names_in_ = np.array(reference.genes, dtype=object)
        collection, options = self._asked(reference)
        _, (plan,) = prepare(None, reference.genes, collection, options, say=False)
        self._remember_coverage(plan)
        return self

    def _fit(self, X: Any) -> None:
        source, names, _ = self._open(X, reset=True)
        collection, options = self._asked()
        _, (plan,) = prepare(source, names, collection, options)
        scores = None
        if any(isinstance(e, Composite) for e in collection):
            scores = execute(source, [plan], threads=self.threads)[0].scores
        self.reference_ = freeze(plan, collection, names, source.n_obs, scores)
        self._give_reasons(plan, source, scores)
        self._remember_coverage(plan)

    def _give_reasons(self, plan: Plan, source: Source, scores: Any) -> None:
        """Say why signatures have no score in the cohort; one observation shows whether to look at the others."""
        if scores is None:
            first = replace(source, n_obs=1, rows=np.zeros(1, np.int64) if source.rows is None else source.rows[:1])
            scores = execute(first, [plan], threads=1)[0].scores
            if not any(new and not old for new, old in zip(reasons(plan, scores), plan.reasons, strict=True)):
                return
            scores = execute(source, [plan], threads=self.threads)[0].scores
        plan.reasons = reasons(plan, scores)

    def _remember_coverage(self, plan: Plan) -> None:
        import pandas as pd

        self.coverage_ = pd.DataFrame(plan.coverage | {"reason": plan.reasons}).set_index("signature")

    def _asked(self, reference: Reference | None = None) -> tuple[SignatureCollection, ScoreOptions]:
        """Return the signatures and the options that the constructor's arguments make."""
        options = ScoreOptions.checked(
            self.method,
            {self.method: dict(self.params or {})},
            reference=reference,
            min_coverage=self.min_coverage,
            universe=self.universe,
            threads=self.threads,
        )
        return as_collection(self.signatures), options

    def _open(self, X: Any, *, reset: bool) -> tuple[Source, list[str], Any]:
        """Return the matrix, its gene names, and the row names where there are any."""
        if hasattr(X, "obs_names") and hasattr(X, "var_names"):
            return self._open_anndata(X, reset=reset)
        if isinstance(X, np.ma.MaskedArray):
            # validate_data would drop the mask without a word.
            raise DataError("A numpy.ma.MaskedArray cannot be scored; give X.filled(numpy.nan).")
        frame = X if hasattr(X, "iloc") and hasattr(X, "columns") else None
        named = frame is not None and not reset and hasattr(self, "feature_names_in_")
        if named and list(frame.columns) != list(self.feature_names_in_):  # type: ignore[union-attr]
            # The same genes in another order, or others by policy: the reference decides, by name.
            return open_source(frame), [str(c) for c in frame.columns], frame.index  # type: ignore[union-attr]
        values = validate_data(
            self, X, reset=reset, accept_sparse=["csr"], dtype="numeric", ensure_all_finite="allow-nan"
        )
        names = getattr(self, "feature_names_in_", None)
        genes = [f"x{i}" for i in range(self.n_features_in_)] if names is None else [str(g) for g in names]
        return open_source(values), genes, None if frame is None else frame.index

    def _open_anndata(self, adata: Any, *, reset: bool) -> tuple[Source, list[str], Any]:
        if self.layer is not None and self.layer not in adata.layers:
            known = ", ".join(filter(None, adata.layers)) or "none"
            raise DataError(f"There is no layer {self.layer!r}; there are: {known}.")
        names = [str(g) for g in adata.var_names]
        if reset:
            self.n_features_in_ = len(names)
            self.feature_names_in_ = np.array(names, dtype=object)
        matrix = adata.X if self.layer is None else adata.layers[self.layer]
        return open_source(matrix), names, adata.obs_names

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        return tags
