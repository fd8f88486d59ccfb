"""What moving bytes to vehicles costs, and what deltas save of it.

Only what was measured counts: bytes that vehicles said they received, or vehicles that said
what they run times bytes of images and deltas that are in the store.
"""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import msgspec

from roadworthy.base.errors import InputError

__all__ = ["MB", "Price", "Saving", "make_saving", "parse_price"]

MB = 1 << 20
_CURRENCY = re.compile(r"[A-Z]{3}")
_PER_MB_MAX = 1_000_000
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Price:
    """What an operator pays for each MB (2^20 bytes) to a vehicle; currency as in ISO 4217."""

    per_mb: Decimal
    currency: str

    def cost(self, size_bytes: int) -> Decimal:
        """Return what so many bytes cost, to the cent."""
        return (self.per_mb * size_bytes / MB).quantize(_CENT)


class Saving(msgspec.Struct, frozen=True):
    """Bytes with deltas and without.

    sent_bytes, full_bytes: with deltas, and as whole images. saved_bytes: the difference; below
        0 where broken downloads cost more than deltas saved.
    saved_cost, price_per_mb, currency: what that is worth; None where nobody set a price.
    """

    sent_bytes: int
    full_bytes: int
    saved_bytes: int
    saved_cost: str | None = None
    price_per_mb: str | None = None
    currency: str | None = None


def make_saving(sent_bytes: int, full_bytes: int, price: Price | None) -> Saving:
    """Return a saving, in money too if there is a price."""
    saved_bytes = full_bytes - sent_bytes
    if price is None:
        return Saving(sent_bytes, full_bytes, saved_bytes)
    cost = str(price.cost(saved_bytes))
    per_mb, currency = str(price.per_mb), price.currency
    return Saving(sent_bytes, full_bytes, saved_bytes, cost, per_mb, currency)


def parse_price(per_mb: str, currency: str) -> Price:
    """Return the price that an operator gave.

    Raises:
        InputError: no amount from 0 to a million, or no three capital letters.
    """
    try:
        amount = Decimal(per_mb)
    except InvalidOperation as error:
        raise _bad(per_mb) from error
    if not amount.is_finite() or not 0 <= amount <= _PER_MB_MAX:
        raise _bad(per_mb)
    if not _CURRENCY.fullmatch(currency):
        raise InputError("is not a currency", value=currency, todo="give a code such as EUR or USD")
    return Price(amount, currency)


def _bad(text: str) -> InputError:
    return InputError(
        f"is not an amount from 0 to {_PER_MB_MAX}", value=text, todo="give a number such as 0.50"
    )
