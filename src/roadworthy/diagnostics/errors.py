"""What can go wrong in a diagnostic conversation.

VehicleError
├── NegativeResponseError     the ECU answered that it refuses (service and code)
├── MalformedResponseError    the answer's bytes are not an answer to the request
└── ActivationError           after the reset the ECU does not run the image it should
LinkError
├── NoResponseError           no (final) answer within the time allowed
└── RoutingError              the DoIP entity refuses the connection, the address or the message
InputError
└── DoipFormatError           bytes that are not DoIP
"""

from typing import ClassVar

from roadworthy.base.errors import InputError, LinkError, VehicleError
from roadworthy.diagnostics.nrc import nrc_words

__all__ = [
    "ActivationError",
    "DoipFormatError",
    "MalformedResponseError",
    "NegativeResponseError",
    "NoResponseError",
    "RoutingError",
]


class NegativeResponseError(VehicleError):
    """The ECU refuses a request (7F service code).

    Args:
        service: service id of the request, 0..255.
        nrc: negative response code, 0..255; compares equal to its `Nrc`.
    """

    code: ClassVar[str] = "ecu-refused"
    title: ClassVar[str] = "The ECU refused"

    def __init__(self, service: int, nrc: int) -> None:
        super().__init__(nrc_words(nrc), value=f"service 0x{service:02X}, code 0x{nrc:02X}")
        self.service = service
        self.nrc = nrc


class MalformedResponseError(VehicleError):
    """The ECU sent bytes that are no answer to the request."""

    code: ClassVar[str] = "ecu-malformed-answer"
    title: ClassVar[str] = "The ECU's answer is malformed"


class ActivationError(VehicleError):
    """After its reset the ECU does not run the image that it should."""

    code: ClassVar[str] = "ecu-fell-back"
    title: ClassVar[str] = "The ECU does not run the image"


class NoResponseError(LinkError):
    """The ECU gave no final answer in time."""

    code: ClassVar[str] = "ecu-silent"
    title: ClassVar[str] = "The ECU does not answer"


class RoutingError(LinkError):
    """The DoIP entity refuses the tester, the target address or the message."""

    code: ClassVar[str] = "doip-refused"
    title: ClassVar[str] = "The vehicle's gateway refused"


class DoipFormatError(InputError):
    """Bytes that are not a DoIP message."""

    code: ClassVar[str] = "doip-malformed"
    title: ClassVar[str] = "Malformed DoIP message"
