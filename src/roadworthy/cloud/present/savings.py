"""Bytes and money that deltas save, as the pages show them."""

from roadworthy.cloud.price import Saving
from roadworthy.cloud.web import views

__all__ = ["saving_figure"]


def saving_figure(saving: Saving) -> views.SavingFigure:
    """Return a saving with its money in words."""
    if saving.saved_cost is None:
        return views.SavingFigure(saving.sent_bytes, saving.full_bytes)
    return views.SavingFigure(
        sent_bytes=saving.sent_bytes,
        full_bytes=saving.full_bytes,
        worth=f"{saving.saved_cost} {saving.currency}",
        price=f"{saving.price_per_mb} {saving.currency} per MB",
    )
