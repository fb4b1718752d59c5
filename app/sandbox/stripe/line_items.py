"""The line items of a Checkout Session, and their total."""

from __future__ import annotations

from app.sandbox.store import Document
from app.sandbox.stripe import currencies, forms, objects
from app.sandbox.stripe.errors import invalid, missing


def read_line_items(params: forms.Params) -> tuple[list[Document], int, str]:
    """(items, total in the smallest unit, currency). Raises 400."""
    given = params.get("line_items")
    if not isinstance(given, list) or not given:
        raise invalid("Missing required param: line_items.", param="line_items", code="parameter_missing")
    items = [_item(fields, f"line_items[{position}]") for position, fields in enumerate(given)]
    currency = items[0]["currency"]
    if any(item["currency"] != currency for item in items):
        raise invalid("All line items must have the same currency.", param="line_items")
    total = sum(item["amount_total"] for item in items)
    currencies.check(total, currency, param="line_items")
    return items, total, currency


def _item(fields: object, path: str) -> Document:
    if not isinstance(fields, dict):
        raise invalid("Invalid object", param=path)
    forms.allow(
        fields, "price", "price_data", "quantity", "adjustable_quantity", "tax_rates", "dynamic_tax_rates"
    )
    price = forms.text(fields, "price")
    if price is not None:
        raise missing("price", price, param=f"{path}[price]", status=400)
    data = forms.allow(
        forms.branch(fields, "price_data"),
        "currency",
        "product",
        "product_data",
        "tax_behavior",
        "unit_amount",
    )
    currency = currencies.supported(forms.required(data, "currency"))
    unit = forms.integer(data, "unit_amount", param=f"{path}[price_data][unit_amount]")
    if unit is None or unit < 0:
        raise invalid(
            f"Missing required param: {path}[price_data][unit_amount].",
            param=f"{path}[price_data][unit_amount]",
            code="parameter_missing",
        )
    name = forms.required(forms.branch(data, "product_data"), "name")
    quantity = forms.integer(fields, "quantity", param=f"{path}[quantity]")
    if quantity is None or quantity < 1:
        raise invalid(
            f"Missing required param: {path}[quantity].", param=f"{path}[quantity]", code="parameter_missing"
        )
    return {
        "id": objects.new_id("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": unit * quantity,
        "amount_tax": 0,
        "amount_total": unit * quantity,
        "currency": currency,
        "description": name,
        "quantity": quantity,
    }
