"""The routes that the document describes, and where in it each route of the table is described."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flask import Flask

from app.http import query
from app.http.operation import ATTRIBUTE, Key, Operation
from app.http.surfaces import Surface, surface_of
from app.http.table import Policy, policies

_PARAMETER: Final = re.compile(r"<(?:[^<>:]+:)?([^<>:]+)>")
_QUIET: Final = frozenset({"OPTIONS", "HEAD"})


@dataclass(frozen=True, slots=True)
class DocumentedRoute:
    """A method of a route. `path`: as the document writes it, under the first prefix of the route's row.

    `is_first`: it is mounted there itself, and not under another prefix. `has_checked_query`: it refuses query
    parameters that it does not declare.
    """

    endpoint: str
    path: str
    method: str
    methods: frozenset[str]
    policy: Policy
    operation: Operation
    surface: Surface
    is_first: bool
    has_checked_query: bool

    @property
    def operation_id(self) -> str:
        """A route that takes GET for POST too is two operations."""
        return f"{self.operation.id}_by_get" if self.is_post_by_get else self.operation.id

    @property
    def is_post_by_get(self) -> bool:
        """Some providers call back by GET: the same route does the same work."""
        return self.method == "GET" and "POST" in self.methods

    @property
    def writes(self) -> bool:
        return self.method != "GET" or self.is_post_by_get

    @property
    def uses_database(self) -> bool:
        """All but the gateway's own routes do, also where those are mounted under another API's prefix."""
        return surface_of(self.path, self.method) is not Surface.SYSTEM

    @property
    def has_key(self) -> bool:
        return self.operation.key is not None

    @property
    def needs_key(self) -> bool:
        return self.operation.key is Key.REQUIRED


def written(path: str) -> str:
    """Of a path that is taken with and without its last slash: without it, as programs that read the document want it."""
    return path.rstrip("/") or "/"


def documented_routes(app: Flask) -> Iterator[DocumentedRoute]:
    """Every route that has an operation, under each of its prefixes; all prefixes lead to the same `path`."""
    paths: dict[object, str] = {}
    rules = {rule.endpoint: rule for rule in app.url_map.iter_rules()}
    for endpoint, policy in policies(app).items():
        view = app.view_functions[endpoint]
        described: Operation | None = getattr(view, ATTRIBUTE, None)
        if described is None:
            continue
        rule = rules[endpoint]
        # Rows are mounted under their prefixes in order, so the first is the one in the document.
        own = written(_PARAMETER.sub(r"{\1}", rule.rule))
        path = paths.setdefault(view, own)
        methods = frozenset(rule.methods or ()) - _QUIET
        for method in sorted(methods):
            surface = surface_of(_PARAMETER.sub(_example, rule.rule), method)
            yield DocumentedRoute(
                endpoint,
                path,
                method,
                methods,
                policy,
                described,
                surface,
                is_first=own == path,
                has_checked_query=query.is_checked(app, endpoint),
            )


def _example(match: re.Match[str]) -> str:
    return "pmt_x" if match[0].startswith("<pmt:") else "x"
