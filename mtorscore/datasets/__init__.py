"""Simulated liver-cancer cohorts whose truth is known."""

from __future__ import annotations

from mtorscore.datasets._outcomes import Outcomes, draw_outcomes
from mtorscore.datasets._sections import simulate_sections
from mtorscore.datasets._simulate import simulate_cohort

__all__ = ["Outcomes", "draw_outcomes", "simulate_cohort", "simulate_sections"]
