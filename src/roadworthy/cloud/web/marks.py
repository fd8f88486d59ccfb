"""How each word of the cores looks: an icon, a tone and a label, never colour alone.

Tones: "ok" ended well, "busy" moves by itself, "warn" waits for a person or may go wrong,
"bad" ended badly, "neutral" the rest.
"""

from dataclasses import dataclass

__all__ = ["MARKS", "Mark", "mark"]


@dataclass(frozen=True, slots=True)
class Mark:
    """An icon (an id in `static/icons.svg`), a tone and a label in words."""

    icon: str
    tone: str
    label: str


MARKS: dict[str, Mark] = {
    "draft": Mark("clock", "neutral", "Draft"),
    "running": Mark("play", "busy", "Running"),
    "paused": Mark("pause", "warn", "Paused"),
    "finished": Mark("check", "ok", "Finished"),
    "aborted": Mark("stop", "bad", "Aborted"),
    "waiting": Mark("clock", "neutral", "Waiting"),
    "soaking": Mark("clock", "busy", "Soaking"),
    "passed": Mark("check", "ok", "Gate passed"),
    "held": Mark("pause", "warn", "Held"),
    "stopped": Mark("stop", "bad", "Stopped"),
    "queued": Mark("clock", "neutral", "Queued"),
    "offered": Mark("bell", "busy", "Offered"),
    "downloaded": Mark("download", "busy", "Downloaded"),
    "verified": Mark("shield", "busy", "Verified"),
    "installed": Mark("chip", "busy", "Installed"),
    "activated": Mark("swap", "busy", "Activated"),
    "confirmed": Mark("check", "ok", "Confirmed"),
    "failed": Mark("cross", "bad", "Failed"),
    "silent": Mark("silent", "bad", "Silent"),
    "withdrawn": Mark("minus", "neutral", "Withdrawn"),
    "current": Mark("check", "ok", "Up to date"),
    "updating": Mark("download", "busy", "Updating"),
    "behind": Mark("clock", "warn", "Behind"),
    "unknown": Mark("silent", "neutral", "Never reported"),
    "downloading": Mark("download", "busy", "Downloading"),
    "installing": Mark("chip", "busy", "Installing"),
    "activating": Mark("swap", "busy", "Activating"),
    "rolled-back": Mark("back", "warn", "Rolled back"),
    "valid": Mark("shield", "ok", "Valid"),
    "expiring": Mark("shield", "warn", "Expires soon"),
    "expired": Mark("shield-off", "bad", "Expired"),
    "revoked": Mark("shield-off", "bad", "Revoked"),
    "signed": Mark("shield", "ok", "Signed"),
    "deployed": Mark("vehicle", "ok", "Deployed"),
    "ready": Mark("check", "ok", "Delta"),
    "missing": Mark("clock", "busy", "Being made"),
    "full": Mark("minus", "neutral", "Whole image"),
    "base-unknown": Mark("minus", "warn", "Whole image"),
    "left-out": Mark("minus", "warn", "Whole image"),
    "online": Mark("dot", "ok", "Active"),
    "offline": Mark("silent", "neutral", "Idle"),
}


def mark(word: str) -> Mark:
    """Return the look of `word`; an unknown word is shown as it is, in grey."""
    return MARKS.get(word) or Mark("dot", "neutral", word.replace("-", " ").capitalize())
