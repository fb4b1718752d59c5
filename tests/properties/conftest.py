"""Hypothesis: real servers answer in their own time, and every run tries other cases."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "malipo", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("malipo")
