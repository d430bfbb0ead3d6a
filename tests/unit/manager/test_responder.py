import asyncio
from typing import cast

import pytest

from telegraph.manager.responder import Responder
from telegraph.protocol.discovery import AMPLIFICATION, Active, question, read_answer

FULL = Active("active", 8000, site="main", url="https://10.0.0.1:8000", ca="ab" * 32, version="1")
ASKER = ("192.0.2.7", 4000)


class Wire:
    """What asyncio would send."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, tuple[str, int]]] = []
        self.closed = False

    def sendto(self, data: bytes, address: tuple[str, int]) -> None:
        self.sent.append((data, address))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def responder(wire: Wire) -> Responder:
    made = Responder(FULL)
    made.connection_made(cast("asyncio.BaseTransport", wire))
    return made


def test_a_bare_question_gets_the_bare_answer(responder: Responder, wire: Wire) -> None:
    responder.datagram_received(b'{"action": "discover"}', ASKER)
    assert wire.sent == [(b'{"status":"active","port":8000}', ASKER)]


def test_a_padded_question_gets_everything(responder: Responder, wire: Wire) -> None:
    responder.datagram_received(question(), ASKER)
    ((answer, asker),) = wire.sent
    assert read_answer(answer) == FULL
    assert asker == ASKER
    assert len(answer) <= AMPLIFICATION * len(question())


@pytest.mark.parametrize(
    "garbage", [b"", b"\0", b"\xff" * 1400, b"{", b"[]", b'{"action": "shout"}', b'{"action": 1}', b"[" * 1400]
)
def test_garbage_is_met_with_silence(responder: Responder, wire: Wire, garbage: bytes) -> None:
    responder.datagram_received(garbage, ASKER)
    assert wire.sent == []
    assert responder.answered == 0


def test_an_answer_that_reached_nobody_harms_nothing(responder: Responder, wire: Wire) -> None:
    responder.error_received(ConnectionRefusedError())
    responder.datagram_received(question(), ASKER)
    assert responder.answered == 1
    responder.close()
    assert wire.closed
