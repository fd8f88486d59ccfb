"""Bytes and money that deltas save, in a terminal."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from roadworthy.cli.output import Cell

__all__ = ["ROUTE_COLUMNS", "route_rows", "saved_text"]

ROUTE_COLUMNS = ["Hardware", "From", "To", ">Vehicles", ">Full", ">Each takes", ">Saved", "How"]
_HOW = {
    "ready": "delta",
    "missing": "delta is being made",
    "full": "whole image: a delta is no smaller",
    "unknown": "whole image: nobody uploaded the old one",
    "left-out": "whole image: too many others are more common",
}


def saved_text(saving: Mapping[str, Any]) -> str:
    """Return a saving as the API gave it in words; empty where nothing was to be sent."""
    full = saving["full_bytes"]
    if not full:
        return ""
    text = f"{saving['sent_bytes']:,} bytes instead of {full:,}"
    text += f", saved {saving['saved_bytes'] / full:.1%}"
    if saving["saved_cost"] is None:
        return text
    price = f"{saving['price_per_mb']} {saving['currency']} per MB"
    return f"{text} or {saving['saved_cost']} {saving['currency']} at {price}"


def route_rows(routes: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Cell, ...]]:
    """Yield the rows of a table of routes as the API gave them."""
    for item in routes:
        sent, full = item["sent_bytes"], item["full_bytes"]
        yield (
            item["hardware_id"],
            item["base_version"],
            item["version"],
            item["vehicles"],
            f"{full:,}",
            "" if sent is None else f"{sent:,}",
            "" if sent is None or not full else f"{1 - sent / full:.1%}",
            _HOW.get(item["state"], item["state"]),
        )
