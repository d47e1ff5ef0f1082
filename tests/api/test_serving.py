"""The serving process: the socket that it inherits answers at once."""

from __future__ import annotations

import socket

from carbonseal_api.serving import answer_at_once


def test_connections_of_an_inherited_socket_wait_for_nothing_before_they_send() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        answer_at_once(listener.fileno())
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_unix_socket_is_left_as_it_is() -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        answer_at_once(listener.fileno())
        assert listener.fileno() >= 0
