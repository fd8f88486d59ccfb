"""Identifiers: who is who, checked once where they come in.

A vehicle has two names. The VIN (ISO 3779) is personal data and stays in the registry; the
vehicle key is a random pseudonym, and certificates, topics, addresses, metadata and
telemetry carry only that. An ECU is named by its serial within the vehicle (Uptane "ECU
identifier") and by its hardware id, which says which images fit.
"""

import re
from typing import NewType

from roadworthy.base.errors import InputError

__all__ = [
    "EcuSerial",
    "HardwareId",
    "Sha256",
    "VehicleKey",
    "Vin",
    "parse_ecu_serial",
    "parse_hardware_id",
    "parse_sha256",
    "parse_vehicle_key",
    "parse_vin",
]

Vin = NewType("Vin", str)
VehicleKey = NewType("VehicleKey", str)
EcuSerial = NewType("EcuSerial", str)
HardwareId = NewType("HardwareId", str)
Sha256 = NewType("Sha256", str)

_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_VEHICLE_KEY = re.compile(r"v[0-9a-f]{16}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,47}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def parse_vin(text: str) -> Vin:
    """Return a VIN of 17 characters without I, O and Q (ISO 3779)."""
    if not _VIN.fullmatch(text):
        raise InputError(
            "is not a VIN", value="vin", todo="give 17 capital letters and digits, no I, O or Q"
        )
    return Vin(text)


def parse_vehicle_key(text: str) -> VehicleKey:
    """Return a vehicle key: `v` and 16 hex digits."""
    if not _VEHICLE_KEY.fullmatch(text):
        raise InputError("is not a vehicle key", value="vehicle", todo="give v and 16 hex digits")
    return VehicleKey(text)


def parse_ecu_serial(text: str) -> EcuSerial:
    """Return an ECU serial: up to 48 letters, digits, hyphens and underscores."""
    return EcuSerial(_name(text, "ecu_serial"))


def parse_hardware_id(text: str) -> HardwareId:
    """Return a hardware id: up to 48 letters, digits, hyphens and underscores."""
    return HardwareId(_name(text, "hardware_id"))


def parse_sha256(text: str) -> Sha256:
    """Return a SHA-256 as 64 lower-case hex digits."""
    if not _SHA256.fullmatch(text):
        raise InputError("is not a SHA-256", value="sha256", todo="give 64 lower-case hex digits")
    return Sha256(text)


def _name(text: str, value: str) -> str:
    if not _NAME.fullmatch(text):
        raise InputError(
            "is not a name", value=value, todo="give up to 48 letters, digits, hyphens, underscores"
        )
    return text
