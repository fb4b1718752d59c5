"""The blueprint every route belongs to: flask-smorest's, with the strict parser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import flask_smorest
import marshmallow as ma

from app.http.parser import StrictParser

Route = TypeVar("Route", bound=Callable[..., Any])


class Blueprint(flask_smorest.Blueprint):
    """Give it no url_prefix: the table in app/routes.py does."""

    ARGUMENTS_PARSER = StrictParser()

    def arguments(self, schema: ma.Schema | type[ma.Schema], **kwargs: Any) -> Callable[[Route], Route]:
        """Read and validate the body (or `location="query"`); the result is the route's next argument.

        The schema is made once, here: making it per request costs more than validating with it.
        """
        instance = schema() if isinstance(schema, type) else schema
        decorator: Callable[[Route], Route] = super().arguments(instance, error_status_code=400, **kwargs)
        return decorator

    def add_url_rule(self, rule: str, *args: Any, tags: list[str] | None = None, **options: Any) -> None:
        # Under a second prefix a blueprint has another name; its routes keep their tag.
        super().add_url_rule(rule, *args, tags=tags or [self.name], **options)
