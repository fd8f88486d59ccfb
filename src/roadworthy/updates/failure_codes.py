"""Why an installation or an offer failed: each short code of a report in plain words.

Codes are stable: they stand in signed reports and in the ledger. Those of refused metadata are
the codes of `trust.errors`.
"""

from collections.abc import Mapping

__all__ = ["FAILURE_CODES", "explain"]

FAILURE_CODES: Mapping[str, str] = {
    "access-denied": "The server does not serve this vehicle.",
    "artifact-missing": "The server does not give out a file that the offer names.",
    "bad-delta": "The delta does not make the image from what the vehicle has.",
    "download-hash": "A downloaded file was not the one that was signed; it was deleted.",
    "ecu-fell-back": "An ECU went back to its old image before the new one was kept.",
    "ecu-malformed-answer": "An ECU's answer made no sense.",
    "ecu-rejected": "An ECU refused the image or a step of its installation.",
    "ecu-timeout": "An ECU did not answer in time.",
    "ecu-unknown": "An ECU of the offer was not found in the vehicle.",
    "image-lost": "An image was damaged in the vehicle's storage before it was installed.",
    "inventory-mismatch": "The vehicle says confirmed, but an ECU runs something else.",
    "link": "The connection to the server kept failing.",
    "newer-installed": "An ECU runs a later release than the one that would be offered.",
    "no-inventory": "The vehicle has never reported its ECUs.",
    "no-match": "No ECU of the vehicle is of a kind that the release is for.",
    "not-installable": "The vehicle's ECUs are in no state to take this offer.",
    "power-lost": "The power failed too often while ECUs were being switched over.",
    "preconditions": "The vehicle was not parked, charged, in its window or consented to in time.",
    "probe-mismatch": "After its reset an ECU did not run the new image.",
    "revoked": "The vehicle is not registered any more.",
    "silent": "The vehicle took the offer and has not reported since.",
    "withdrawn": "The offer was withdrawn or replaced before anything was switched over.",
    "bad-certificate": "A certificate proves nothing here.",
    "bad-signature": "Too few valid signatures of the right keys.",
    "duplicate-ecu": "The offer names two images for the same ECU.",
    "expired-certificate": "A certificate is out of its time.",
    "expired-metadata": "The metadata has expired; somebody may be holding back newer files.",
    "foreign-offer": "The offer is for another vehicle.",
    "image-mismatch": "Director and image repository describe the image differently.",
    "incomplete-metadata": "A metadata file is missing.",
    "invalid-input": "A message or file was malformed.",
    "malformed-metadata": "A metadata file is malformed.",
    "mix-and-match": "Metadata files that do not belong together.",
    "not-trusted": "A check of trust failed.",
    "oversize": "A metadata file is larger than it may be.",
    "release-rollback": "The offered image is older than the installed one.",
    "revoked-certificate": "A certificate was revoked.",
    "rollback": "The metadata is older than what the vehicle has seen.",
    "unexpected-delegation": "The director's metadata delegates, which it may not.",
    "unknown-ecu": "The offer names an ECU that the vehicle does not have.",
    "unknown-image": "The image repository does not list the offered image.",
    "wrong-hardware": "The image is made for other hardware.",
}
"""Plain words by code."""


def explain(code: str) -> str:
    """Return the code in plain words; an unknown or empty code gives itself back."""
    return FAILURE_CODES.get(code, code)
