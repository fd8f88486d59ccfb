"""Negative response codes (ISO 14229-1 Annex A) and what they mean in plain words."""

from enum import IntEnum

__all__ = ["Nrc", "nrc_words"]


class Nrc(IntEnum):
    """Why an ECU refuses a request."""

    GENERAL_REJECT = 0x10
    SERVICE_NOT_SUPPORTED = 0x11
    SUB_FUNCTION_NOT_SUPPORTED = 0x12
    INCORRECT_LENGTH_OR_FORMAT = 0x13
    RESPONSE_TOO_LONG = 0x14
    BUSY_REPEAT_REQUEST = 0x21
    CONDITIONS_NOT_CORRECT = 0x22
    REQUEST_SEQUENCE_ERROR = 0x24
    NO_RESPONSE_FROM_SUBNET = 0x25
    FAILURE_PREVENTS_EXECUTION = 0x26
    REQUEST_OUT_OF_RANGE = 0x31
    SECURITY_ACCESS_DENIED = 0x33
    AUTHENTICATION_REQUIRED = 0x34
    INVALID_KEY = 0x35
    EXCEEDED_NUMBER_OF_ATTEMPTS = 0x36
    REQUIRED_TIME_DELAY_NOT_EXPIRED = 0x37
    SECURE_TRANSMISSION_REQUIRED = 0x38
    SECURE_TRANSMISSION_NOT_ALLOWED = 0x39
    SECURE_VERIFICATION_FAILED = 0x3A
    CERTIFICATE_INVALID_TIME_PERIOD = 0x50
    CERTIFICATE_INVALID_SIGNATURE = 0x51
    CERTIFICATE_INVALID_CHAIN_OF_TRUST = 0x52
    CERTIFICATE_INVALID_TYPE = 0x53
    CERTIFICATE_INVALID_FORMAT = 0x54
    CERTIFICATE_INVALID_CONTENT = 0x55
    CERTIFICATE_INVALID_SCOPE = 0x56
    CERTIFICATE_REVOKED = 0x57
    OWNERSHIP_VERIFICATION_FAILED = 0x58
    CHALLENGE_CALCULATION_FAILED = 0x59
    SETTING_ACCESS_RIGHTS_FAILED = 0x5A
    SESSION_KEY_CREATION_FAILED = 0x5B
    CONFIGURATION_DATA_USAGE_FAILED = 0x5C
    DE_AUTHENTICATION_FAILED = 0x5D
    UPLOAD_DOWNLOAD_NOT_ACCEPTED = 0x70
    TRANSFER_DATA_SUSPENDED = 0x71
    GENERAL_PROGRAMMING_FAILURE = 0x72
    WRONG_BLOCK_SEQUENCE_COUNTER = 0x73
    RESPONSE_PENDING = 0x78
    SUB_FUNCTION_NOT_SUPPORTED_IN_SESSION = 0x7E
    SERVICE_NOT_SUPPORTED_IN_SESSION = 0x7F
    RPM_TOO_HIGH = 0x81
    RPM_TOO_LOW = 0x82
    ENGINE_IS_RUNNING = 0x83
    ENGINE_IS_NOT_RUNNING = 0x84
    ENGINE_RUN_TIME_TOO_LOW = 0x85
    TEMPERATURE_TOO_HIGH = 0x86
    TEMPERATURE_TOO_LOW = 0x87
    VEHICLE_SPEED_TOO_HIGH = 0x88
    VEHICLE_SPEED_TOO_LOW = 0x89
    THROTTLE_TOO_HIGH = 0x8A
    THROTTLE_TOO_LOW = 0x8B
    TRANSMISSION_NOT_IN_NEUTRAL = 0x8C
    TRANSMISSION_NOT_IN_GEAR = 0x8D
    BRAKE_NOT_CLOSED = 0x8F
    SHIFTER_NOT_IN_PARK = 0x90
    TORQUE_CONVERTER_LOCKED = 0x91
    VOLTAGE_TOO_HIGH = 0x92
    VOLTAGE_TOO_LOW = 0x93
    RESOURCE_TEMPORARILY_UNAVAILABLE = 0x94


_WORDS: dict[int, str] = {
    Nrc.GENERAL_REJECT: "the ECU gives no reason",
    Nrc.SERVICE_NOT_SUPPORTED: "the ECU does not know this service",
    Nrc.SUB_FUNCTION_NOT_SUPPORTED: "the ECU does not know this kind of request",
    Nrc.INCORRECT_LENGTH_OR_FORMAT: "the request has a wrong length or format",
    Nrc.RESPONSE_TOO_LONG: "the answer would be too long",
    Nrc.BUSY_REPEAT_REQUEST: "the ECU is busy",
    Nrc.CONDITIONS_NOT_CORRECT: "the ECU's state does not allow it now",
    Nrc.REQUEST_SEQUENCE_ERROR: "the request came out of order",
    Nrc.NO_RESPONSE_FROM_SUBNET: "a component behind the ECU does not answer",
    Nrc.FAILURE_PREVENTS_EXECUTION: "a fault in the ECU prevents it",
    Nrc.REQUEST_OUT_OF_RANGE: "a value in the request is out of range",
    Nrc.SECURITY_ACCESS_DENIED: "the ECU is locked",
    Nrc.AUTHENTICATION_REQUIRED: "the tester must prove who it is first",
    Nrc.INVALID_KEY: "the ECU did not accept the unlock key",
    Nrc.EXCEEDED_NUMBER_OF_ATTEMPTS: "too many wrong unlock keys",
    Nrc.REQUIRED_TIME_DELAY_NOT_EXPIRED: "the ECU makes us wait after wrong unlock keys",
    Nrc.SECURE_TRANSMISSION_REQUIRED: "the ECU wants a protected transmission",
    Nrc.SECURE_TRANSMISSION_NOT_ALLOWED: "the ECU allows no protected transmission",
    Nrc.SECURE_VERIFICATION_FAILED: "the protected transmission did not verify",
    Nrc.CERTIFICATE_INVALID_TIME_PERIOD: "the certificate is not valid now",
    Nrc.CERTIFICATE_INVALID_SIGNATURE: "the certificate's signature is wrong",
    Nrc.CERTIFICATE_INVALID_CHAIN_OF_TRUST: "the ECU does not trust the certificate's issuer",
    Nrc.CERTIFICATE_INVALID_TYPE: "the certificate is of the wrong type",
    Nrc.CERTIFICATE_INVALID_FORMAT: "the certificate has a wrong format",
    Nrc.CERTIFICATE_INVALID_CONTENT: "the ECU's own verification refused the image",
    Nrc.CERTIFICATE_INVALID_SCOPE: "the certificate does not cover this",
    Nrc.CERTIFICATE_REVOKED: "the certificate is revoked",
    Nrc.OWNERSHIP_VERIFICATION_FAILED: "the tester did not prove that the certificate is its own",
    Nrc.CHALLENGE_CALCULATION_FAILED: "the ECU could not compute a challenge",
    Nrc.SETTING_ACCESS_RIGHTS_FAILED: "the ECU could not set access rights",
    Nrc.SESSION_KEY_CREATION_FAILED: "the ECU could not make a session key",
    Nrc.CONFIGURATION_DATA_USAGE_FAILED: "the ECU could not use the configuration data",
    Nrc.DE_AUTHENTICATION_FAILED: "the ECU could not end the authentication",
    Nrc.UPLOAD_DOWNLOAD_NOT_ACCEPTED: "the ECU does not accept the transfer",
    Nrc.TRANSFER_DATA_SUSPENDED: "the ECU suspended the transfer",
    Nrc.GENERAL_PROGRAMMING_FAILURE: "erasing or writing the memory failed",
    Nrc.WRONG_BLOCK_SEQUENCE_COUNTER: "a block came out of order",
    Nrc.RESPONSE_PENDING: "the ECU needs more time",
    Nrc.SUB_FUNCTION_NOT_SUPPORTED_IN_SESSION: "not possible in the ECU's current session",
    Nrc.SERVICE_NOT_SUPPORTED_IN_SESSION: "not possible in the ECU's current session",
    Nrc.RPM_TOO_HIGH: "the engine turns too fast",
    Nrc.RPM_TOO_LOW: "the engine turns too slowly",
    Nrc.ENGINE_IS_RUNNING: "the engine is running",
    Nrc.ENGINE_IS_NOT_RUNNING: "the engine is not running",
    Nrc.ENGINE_RUN_TIME_TOO_LOW: "the engine has not run for long enough",
    Nrc.TEMPERATURE_TOO_HIGH: "the temperature is too high",
    Nrc.TEMPERATURE_TOO_LOW: "the temperature is too low",
    Nrc.VEHICLE_SPEED_TOO_HIGH: "the vehicle is moving",
    Nrc.VEHICLE_SPEED_TOO_LOW: "the vehicle is too slow",
    Nrc.THROTTLE_TOO_HIGH: "the accelerator is pressed too far",
    Nrc.THROTTLE_TOO_LOW: "the accelerator is not pressed far enough",
    Nrc.TRANSMISSION_NOT_IN_NEUTRAL: "the gearbox is not in neutral",
    Nrc.TRANSMISSION_NOT_IN_GEAR: "the gearbox is not in gear",
    Nrc.BRAKE_NOT_CLOSED: "the brake is not pressed",
    Nrc.SHIFTER_NOT_IN_PARK: "the gear lever is not in park",
    Nrc.TORQUE_CONVERTER_LOCKED: "the torque converter's clutch is locked",
    Nrc.VOLTAGE_TOO_HIGH: "the battery voltage is too high",
    Nrc.VOLTAGE_TOO_LOW: "the battery voltage is too low",
    Nrc.RESOURCE_TEMPORARILY_UNAVAILABLE: "the ECU lacks a resource for a while",
}


def nrc_words(nrc: int) -> str:
    """Say in plain words what a negative response code means; unknown codes get their number."""
    unknown = f"the ECU gives the reason 0x{nrc:02X}, which the standard does not name"
    return _WORDS.get(nrc, unknown)
