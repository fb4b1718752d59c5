"""Parameters: form pairs with bracket keys as nested values, and the checks that all calls share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from app.sandbox.stripe.errors import invalid

Params = dict[str, Any]

_KEY: Final = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")
_PART: Final = re.compile(r"\[([^\[\]]*)\]")
MAX_METADATA_KEYS, MAX_METADATA_KEY, MAX_METADATA_VALUE = 50, 40, 500


def parse(pairs: Iterable[tuple[str, str]]) -> Params:
    """`line_items[0][quantity]=1` → {"line_items": [{"quantity": "1"}]}. Values remain texts."""
    tree: Params = {}
    for key, value in pairs:
        match = _KEY.match(key)
        if match is None:
            raise invalid(f"Invalid parameter name: {key}", param=key, code="parameter_unknown")
        _put(tree, [match[1], *_PART.findall(match[2])], value)
    return {name: _lists(value) for name, value in tree.items()}


def _put(tree: Params, path: list[str], value: str) -> None:
    node = tree
    for depth, part in enumerate(path):
        name = str(len(node)) if part == "" else part
        if depth == len(path) - 1:
            node[name] = value
            return
        child = node.setdefault(name, {})
        if not isinstance(child, dict):
            raise invalid(f"Invalid parameter: {path[0]} is given twice in different forms.", param=path[0])
        node = child


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(child) for name, child in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def allow(params: Params, *names: str) -> Params:
    """`params`, when it has only `names` and `expand`. Raises `parameter_unknown`."""
    for name in params:
        if name not in names and name != "expand":
            raise invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")
    return params


def text(params: Mapping[str, Any], name: str, *, longest: int = 5000) -> str | None:
    """The text of `name`, None when absent or empty. Raises when it is an object or too long."""
    value = params.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise invalid("Invalid string", param=name)
    if len(value) > longest:
        raise invalid(f"Invalid string: {name} must be at most {longest} characters", param=name)
    return value


def required(params: Mapping[str, Any], name: str, *, longest: int = 5000) -> str:
    """The text of `name`. Raises `parameter_missing`."""
    value = text(params, name, longest=longest)
    if value is None:
        raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    return value


def integer(params: Mapping[str, Any], name: str, *, param: str | None = None) -> int | None:
    """A whole number. Raises `parameter_invalid_integer`."""
    value = text(params, name)
    if value is None:
        return None
    if not re.fullmatch(r"-?[0-9]{1,12}", value):
        raise invalid(f"Invalid integer: {value}", param=param or name, code="parameter_invalid_integer")
    return int(value)


def boolean(params: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    """`true` or `false`."""
    value = text(params, name)
    if value is None:
        return default
    if value not in ("true", "false"):
        raise invalid(f"Invalid boolean: {value}", param=name)
    return value == "true"


def choice(params: Mapping[str, Any], name: str, options: tuple[str, ...], default: str | None) -> str | None:
    """One of `options`. Raises when the value is another one."""
    value = text(params, name)
    if value is None:
        return default
    if value not in options:
        raise invalid(f"Invalid {name}: must be one of {', '.join(options)}", param=name)
    return value


def url(params: Mapping[str, Any], name: str) -> str | None:
    """A web address. Raises `url_invalid`."""
    value = text(params, name)
    if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc):
        raise invalid("Not a valid URL", param=name, code="url_invalid")
    return value


def email(params: Mapping[str, Any], name: str) -> str | None:
    """An e-mail address. Raises `email_invalid`."""
    value = text(params, name, longest=800)
    if value is not None and not _EMAIL.fullmatch(value):
        raise invalid(f"Invalid email address: {value}", param=name, code="email_invalid")
    return value


def branch(params: Mapping[str, Any], name: str) -> Params:
    """The object under `name`, empty when absent. Raises when it is a text or a list."""
    value = params.get(name, {})
    if value == "":
        return {}
    if not isinstance(value, dict):
        raise invalid("Invalid object", param=name)
    return value


def metadata(params: Mapping[str, Any], name: str = "metadata") -> dict[str, str]:
    """Up to 50 texts by key. When merged, an empty text removes its key."""
    values = branch(params, name)
    if len(values) > MAX_METADATA_KEYS:
        raise invalid(f"Metadata can have at most {MAX_METADATA_KEYS} keys.", param=name)
    for key, value in values.items():
        if len(key) > MAX_METADATA_KEY:
            raise invalid(f"Metadata keys can have at most {MAX_METADATA_KEY} characters.", param=name)
        if not isinstance(value, str) or len(value) > MAX_METADATA_VALUE:
            raise invalid(
                f"Metadata values can have at most {MAX_METADATA_VALUE} characters.", param=f"{name}[{key}]"
            )
    return dict(values)


def merged(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Metadata after an update."""
    return {key: value for key, value in {**old, **new}.items() if value != ""}


def words(params: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts."""
    value = params.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise invalid("Invalid array", param=name)
    return value
