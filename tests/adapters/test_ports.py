"""A port that we hold is given to nobody else, and our program can listen on it."""

import socket
from contextlib import ExitStack

import pytest

from roadworthy.adapters.ports import reserve_port, reserved_port
from roadworthy.base.errors import ConflictError

HOST = "127.0.0.1"


def test_our_program_listens_on_the_port_as_often_as_it_likes() -> None:
    with reserved_port() as port:
        for _ in range(3):
            with (
                socket.create_server((HOST, port)) as listener,
                socket.create_connection((HOST, port)) as caller,
            ):
                taken, _ = listener.accept()
                with taken:
                    caller.sendall(b"x")
                    assert taken.recv(1) == b"x"
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((HOST, port))


def test_nobody_who_asks_for_any_port_gets_it() -> None:
    with ExitStack() as stack:
        held = stack.enter_context(reserved_port())
        others = [stack.enter_context(socket.socket()) for _ in range(500)]
        for other in others[::2]:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for other in others:
            other.bind((HOST, 0))
        assert held not in {other.getsockname()[1] for other in others}


def test_ports_that_are_held_differ() -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(reserved_port()) for _ in range(50)]
        assert len(set(held)) == len(held)


def test_a_port_that_somebody_listens_on_is_a_conflict() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConflictError, match=f"{HOST}:{port}"):
            reserve_port(HOST, port)


def test_an_address_of_another_machine_is_a_conflict() -> None:
    with pytest.raises(ConflictError, match=r"192\.0\.2\.1"):
        reserve_port("192.0.2.1")
