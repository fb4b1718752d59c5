"""The blueprint every route belongs to: flask-smorest's, with the strict parser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import flask_smorest
import marshmallow as ma

from app.http import query
from app.http.parser import StrictParser
from app.http.schema import Schema

Route = TypeVar("Route", bound=Callable[..., Any])


class Blueprint(flask_smorest.Blueprint):
    """Give it no url_prefix: the table in app/routes.py does."""

    ARGUMENTS_PARSER = StrictParser()

    def arguments(self, schema: ma.Schema | type[ma.Schema], **kwargs: Any) -> Callable[[Route], Route]:
        """Read and validate the body (or `location="query"`); the result is the route's next argument.

        The schema is made once, here: making it per request costs more than validating with it.
        """
        instance = schema() if isinstance(schema, type) else schema
        if kwargs.get("location", "json") == "json":
            kwargs |= _described(instance)
        decorator: Callable[[Route], Route] = super().arguments(instance, error_status_code=400, **kwargs)
        if kwargs.get("location") != "query":
            return decorator

        def decorate(route: Route) -> Route:
            decorated = decorator(route)
            query.declare(decorated, instance)
            return decorated

        return decorate

    def add_url_rule(self, rule: str, *args: Any, tags: list[str] | None = None, **options: Any) -> None:
        # Under a second prefix a blueprint has another name; its routes keep their tag.
        super().add_url_rule(rule, *args, tags=tags or [self.name], **options)

    def _prepare_arguments_doc(self, doc: Any, doc_info: Any, **kwargs: Any) -> Any:
        """A form and its files are one body, which flask-smorest reads in two arguments."""
        parameters = doc_info.get("arguments", {}).get("parameters", [])
        parts = {parameter["in"]: parameter for parameter in parameters}
        if {"form", "files"} <= parts.keys():
            fields = {**parts["form"]["schema"].fields, **parts["files"]["schema"].fields}
            name = type(parts["form"]["schema"]).__name__.removesuffix("Form") + "Upload"
            parts["files"]["schema"] = Schema.from_dict(fields, name=name)()
            parameters.remove(parts["form"])
        return super()._prepare_arguments_doc(doc, doc_info, **kwargs)


def _described(schema: ma.Schema) -> dict[str, Any]:
    """A body's entry in the document beside its schema: whether it may be absent, and examples."""
    found: dict[str, Any] = {"required": any(field.required for field in schema.fields.values())}
    if isinstance(schema, Schema) and schema.examples:
        found["examples"] = {name: {"value": dict(body)} for name, body in schema.examples.items()}
    return found
