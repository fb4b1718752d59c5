"""The OpenAPI 3.1 document: flask-smorest's, made from the routes and their schemas, then completed by our rules.

Each rule is a function of the document or of one operation: operations.py, errors.py, headers.py.
"""

from __future__ import annotations

from app.http.openapi.api import API_CONFIG
from app.http.openapi.document import document
from app.http.openapi.errors import ErrorBodies
from app.http.openapi.routes import DocumentedRoute, documented_routes

__all__ = [
    "API_CONFIG",
    "DocumentedRoute",
    "ErrorBodies",
    "document",
    "documented_routes",
]
