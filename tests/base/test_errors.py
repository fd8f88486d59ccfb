"""The error tree: who can mend it decides the exit status and the HTTP status."""

import pytest

from roadworthy.base import errors
from roadworthy.base.errors import RoadworthyError, StoreError

TABLE = [
    ("RoadworthyError", "internal", 1, 500),
    ("InputError", "invalid-input", 2, 400),
    ("NotFoundError", "not-found", 4, 404),
    ("ConflictError", "conflict", 5, 409),
    ("AccessError", "access-denied", 3, 403),
    ("TrustError", "not-trusted", 7, 422),
    ("VehicleError", "vehicle", 1, 409),
    ("StoreError", "store", 1, 503),
    ("LinkError", "link", 6, 503),
]


@pytest.mark.parametrize(("name", "code", "exit_status", "http_status"), TABLE)
def test_each_branch_has_its_code_and_statuses(
    name: str, code: str, exit_status: int, http_status: int
) -> None:
    kind: type[RoadworthyError] = getattr(errors, name)
    assert (kind.code, kind.exit_status, kind.http_status) == (code, exit_status, http_status)
    assert issubclass(kind, RoadworthyError)
    assert kind.title


def test_the_table_has_every_error_of_the_tree() -> None:
    assert sorted(name for name, *_ in TABLE) == sorted(errors.__all__)


def test_no_error_ends_a_program_as_if_nothing_had_happened() -> None:
    assert all(getattr(errors, name).exit_status > 0 for name in errors.__all__)


def test_mistakes_of_the_sender_are_one_branch() -> None:
    senders = {"InputError", "NotFoundError", "ConflictError", "AccessError"}
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.InputError) == (name in senders)


class MediumFailedError(StoreError):
    """A package's own error."""

    code = "medium"
    title = "Medium failed"


def test_an_error_of_a_package_keeps_the_status_of_its_branch() -> None:
    error = MediumFailedError("is full")
    assert (error.code, error.http_status) == ("medium", 503)


@pytest.mark.parametrize(
    ("value", "todo", "text"),
    [
        ("", "", "is full"),
        ("disk", "", "disk: is full"),
        ("", "make room", "is full; make room"),
        ("disk", "make room", "disk: is full; make room"),
    ],
)
def test_an_error_reads_as_one_sentence(value: str, todo: str, text: str) -> None:
    error = StoreError("is full", value=value, todo=todo)
    assert str(error) == text
    assert (error.happened, error.value, error.todo) == ("is full", value, todo)
