"""From samples to patients: one deterministic resolver, and a log of everything it left out and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore.errors import DataError, DataWarning, examples, warn
from mtorscore.pp.barcodes import Barcode, are_tcga, parse_barcode
from mtorscore.pp.clinical import (
    HISTOLOGY_RULES,
    attach_clinical,
    check_endpoints,
    endpoints_of,
    histology_rule,
)
from mtorscore.pp.group_checks import beside, problems
from mtorscore.pp.groups import (
    Groups,
    arms,
    as_design,
    as_published,
    in_order,
    sample_types,
    values_of,
    with_levels,
    with_reference,
)
from mtorscore.results import EXCLUSIONS

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["HISTOLOGY_RULES", "resolve_patients"]

_KINDS = ("tumour", "normal")
_COLUMNS = list(EXCLUSIONS.names)


def resolve_patients(
    adata: AnnData,
    clinical: pd.DataFrame | str | Path | None = None,
    *,
    histology: str | Mapping[str, str] = "default",
    histology_column: str = "histology",
    group: Mapping[str, Any] | None = None,
    patient: str | None = None,
    keep: Sequence[str] = _KINDS,
    copy: bool = False,
) -> AnnData:
    """Reduce samples to one tumour per patient, with the normals beside them, and log everything left out.

    Rules, in order: controls and recurrent or metastatic samples out (unless in `keep`); FFPE samples out where
    ``obs["is_ffpe"]`` or ``obs["preservation"]`` says so and another sample exists; one aliquot per patient and sample
    type (TCGA: code 01 first, vial A before B, newest plate, highest portion; otherwise the first name in sorted
    order); tumours of the listed histologies out; endpoint values that cannot be used blanked.

    Parameters
    ----------
    adata
        Observations x genes. TCGA barcodes tell sample type and patient; other cohorts give `group` and `patient`.
    clinical
        Joined first (`attach_clinical`), if given.
    histology
        ``"default"`` leaves out fibrolamellar and mixed hepatocellular-cholangiocarcinoma, ``"all"`` nobody; a mapping
        of rule name -> regular expression replaces the default rules.
    histology_column
        Column of `obs` that the rules look at; absent means that no rule applies.
    group
        ``{"column": ..., "tumour": [...], "normal": [...]}``, where names say nothing about the sample type. Without
        tumour and normal every value is a group of its own, compared with ``reference`` or along ``order``; also
        ``leave_out``, ``pair``, ``block``, ``covariates``, ``interaction``. See `mtorscore.pp.groups.Groups`.
    patient
        Column of `obs` that names the patient, where the sample names do not.
    keep
        Sample types that stay in the object.
    copy
        Leave `adata` as it is and return a changed copy.

    Returns
    -------
    anndata.AnnData
        The same object (or the copy): one row per kept sample; ``obs["patient"]``, ``obs["sample_type"]``
        (tumour, normal, recurrent, metastasis, unknown), ``obs["in_outcome"]`` (the one tumour of its patient).
        ``uns["exclusions"]``: sample, patient, rule, reason, effect (``dropped``, ``no <endpoint>``, ``kept``).
        ``uns["flow"]``: step, samples, tumours, normals.

    Raises
    ------
    DataError
        If nothing is left, or a group value is not named by the rule.
    """
    work = adata.copy() if copy else adata
    if clinical is not None:
        attach_clinical(work, clinical)
    names = [str(n) for n in work.obs_names]
    codes = [parse_barcode(n) for n in names] if are_tcga(names) else None
    work.obs["sample_type"] = _sample_types(work.obs, codes, group)
    named = _add_groups(work, group)
    work.obs["patient"] = _patients(work.obs, codes, patient)
    state = _State(work.obs, codes)
    state.step("read")
    others = work.obs["sample_type"].isin([k for k in set(work.obs["sample_type"]) if k not in (*keep, "unknown")])
    for name in work.obs_names[others]:
        kind = work.obs.at[name, "sample_type"]
        state.drop(name, kind, _NOT_COMPARED.get(kind, f"a {kind} sample; only {' and '.join(keep)} are kept"))
    state.step("sample type")
    _drop_ffpe(work.obs, state)
    _drop_repeats(work.obs, state, "comparison_group" if named else "sample_type")
    state.step("one sample per patient")
    _drop_histology(work.obs, state, histology, histology_column)
    state.step("histology")
    kept = state.kept()
    if not len(kept):
        raise DataError(f"no sample is left; excluded by {examples(sorted({r[2] for r in state.log}), 6)}.")
    work._inplace_subset_obs(work.obs_names.isin(kept))
    _finish(work, state)
    return work


class _State:
    """Who is still in, and the log."""

    def __init__(self, obs: pd.DataFrame, codes: list[Barcode | None] | None) -> None:
        self.obs = obs
        self.codes = dict(zip(map(str, obs.index), codes, strict=True)) if codes else {}
        self.out: set[str] = set()
        self.log: list[tuple[str, str, str, str, str]] = []
        self.steps: list[tuple[str, int, int, int]] = []

    def drop(self, name: str, rule: str, reason: str) -> None:
        self.out.add(name)
        self.log.append((name, str(self.obs.at[name, "patient"]), rule, reason, "dropped"))

    def kept(self) -> pd.Index:
        return self.obs.index[~self.obs.index.isin(self.out)]

    def step(self, name: str) -> None:
        kinds = self.obs.loc[self.kept(), "sample_type"]
        normals = int((kinds == "normal").sum())
        self.steps.append((name, len(kinds), int(kinds.isin(["tumour", "unknown"]).sum()), normals))


def _sample_types(obs: pd.DataFrame, codes: list[Barcode | None] | None, group: Mapping[str, Any] | None) -> list[str]:
    if group is not None:
        return _grouped(obs, group)
    if codes is not None:
        return [c.sample_type if c else "unknown" for c in codes]
    if "sample_type" in obs:
        return [str(v) for v in obs["sample_type"]]
    return ["unknown"] * len(obs)


_NOT_COMPARED = {"left_out": "its group is to be left out", "no_group": "nothing says of which group it is"}


def _grouped(obs: pd.DataFrame, group: Mapping[str, Any]) -> list[str]:
    groups = Groups.of(group)
    if groups.column not in obs:
        raise DataError(f"the samples have no column {groups.column!r}; they have {examples(obs.columns, 12)}.")
    values = values_of(as_published(obs, groups.column))
    groups, found_by = with_reference(groups, values)
    wrong = problems(groups, values, list(map(str, obs.columns)), *beside(groups, obs))
    if wrong:
        raise DataError(" ".join(wrong))
    if found_by:
        warn(found_by, DataWarning)
    return sample_types(groups, values)


def _add_groups(adata: AnnData, group: Mapping[str, Any] | None) -> bool:
    """Write the groups under their own names and the design; return whether groups stand for themselves."""
    if group is None:
        return False
    groups = Groups.of(group)
    values = values_of(as_published(adata.obs, groups.column))
    groups, _ = with_reference(groups, values)
    adata.obs["comparison_group"] = pd.Categorical(values, in_order(groups, values))
    if groups.interaction:
        levels = values_of(as_published(adata.obs, groups.interaction))
        groups = with_levels(groups, levels)
        adata.obs["comparison_arm"] = _arms(groups, adata.obs["comparison_group"], levels)
    adata.uns["design"] = as_design(groups, values)
    return groups.named


def _arms(groups: Groups, labels: pd.Series, levels: list[str]) -> pd.Categorical:
    """Return the arm of each sample, those of the reference of the interaction first."""
    first = groups.interaction_reference
    known = [first, *sorted({v for v in levels if v} - {first})]
    found = arms(labels, levels)
    order = arms([g for _ in known for g in labels.cat.categories], [v for v in known for _ in labels.cat.categories])
    return pd.Categorical(found, [a for a in order if a in set(found)])


def _patients(obs: pd.DataFrame, codes: list[Barcode | None] | None, patient: str | None) -> list[str]:
    if patient is not None:
        if patient not in obs:
            raise DataError(f"the samples have no column {patient!r}; they have {examples(obs.columns, 12)}.")
        return [str(v) for v in obs[patient]]
    if codes is not None:
        return [c.patient if c else n for c, n in zip(codes, obs.index, strict=True)]
    return [str(v) for v in obs.get("patient", obs.index)]


def _drop_ffpe(obs: pd.DataFrame, state: _State) -> None:
    flags = pd.Series(False, index=obs.index)
    for column in ("is_ffpe", "preservation", "preservation_method"):
        if column in obs:
            flags |= obs[column].astype(str).str.lower().isin(["true", "yes", "1", "1.0", "ffpe"])
    for name in [n for n in state.kept() if flags[n]]:
        same = (obs["patient"] == obs.at[name, "patient"]) & (obs["sample_type"] == obs.at[name, "sample_type"])
        if (same & ~flags & obs.index.isin(state.kept())).any():
            state.drop(name, "ffpe", "formalin-fixed; a frozen sample of the patient is used")


def _drop_repeats(obs: pd.DataFrame, state: _State, by: str) -> None:
    kept = obs.loc[state.kept()]
    for (who, kind), members in kept.groupby(["patient", by], sort=True, observed=True):
        # Replicates of a design are what it rests on; aliquots of one sample are none.
        if len(members) < 2 or ((kind == "normal" or by != "sample_type") and not state.codes):
            continue
        order = sorted(map(str, members.index), key=lambda n: (_rank(state.codes.get(n)), n))
        for name in order[1:]:
            state.drop(name, "repeat", f"{who} has {len(order)} {kind} samples; {order[0]} is used")


def _rank(code: Barcode | None) -> tuple[int, int, str, str]:
    return code.rank if code else (0, 0, "", "")


def _drop_histology(obs: pd.DataFrame, state: _State, histology: str | Mapping[str, str], column: str) -> None:
    if isinstance(histology, str) and histology not in ("default", "all"):
        raise DataError(f'histology must be "default", "all" or a mapping of rules, not {histology!r}.')
    if histology == "all" or column not in obs:
        return
    rules = HISTOLOGY_RULES if isinstance(histology, str) else histology
    for name in state.kept():
        value = obs.at[name, column]
        if obs.at[name, "sample_type"] == "normal" or not isinstance(value, str):
            continue
        rule = histology_rule(value, rules)
        if rule:
            state.drop(str(name), rule, f"histology: {value}")


def _finish(adata: AnnData, state: _State) -> None:
    obs = adata.obs.copy()
    obs["in_outcome"] = obs["sample_type"].isin(["tumour", "unknown"])
    tumours = obs.index[obs["in_outcome"]]
    endpoints = endpoints_of(obs)
    if endpoints:
        checked, findings = check_endpoints(obs.loc[tumours])
        for column in [c for e in endpoints for c in (e, f"{e}.time")]:
            # Outcomes belong to patients: a normal must not enter a model as a second row of its donor.
            obs[column] = checked[column].reindex(obs.index).astype(np.float64)
        state.log += [(n, str(obs.at[n, "patient"]), rule, why, effect) for n, rule, why, effect in findings]
    adata.obs = obs
    adata.uns["exclusions"] = pd.DataFrame(state.log, columns=_COLUMNS, dtype=object)
    adata.uns["flow"] = pd.DataFrame(state.steps, columns=["step", "samples", "tumours", "normals"])
