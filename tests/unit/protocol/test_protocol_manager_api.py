from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.protocol.manager_api import (
    Answer,
    DisconnectRequest,
    ErrorAnswer,
    HeartbeatRequest,
    LoggedIn,
    LoginRequest,
    PasswordRequest,
    ReconnectRequest,
    Registered,
    RegisterRequest,
    User,
    UserAnswer,
    UsersAnswer,
)

REQUESTS = [RegisterRequest, LoginRequest, HeartbeatRequest, ReconnectRequest, PasswordRequest, DisconnectRequest]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["username", "password", "ip", "port"]), inner),
)
ALICE = User("alice", "alice-id", "192.168.1.150", 8000, "online", "2025-11-15T14:30:25.123456Z")


@pytest.mark.parametrize("shape", REQUESTS)
@given(data=st.binary())
def test_bytes_of_garbage_are_a_decode_error_and_nothing_else(shape: type[msgspec.Struct], data: bytes) -> None:
    try:
        msgspec.json.decode(data, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return


@pytest.mark.parametrize("shape", REQUESTS)
@given(value=JSON)
def test_json_of_another_shape_is_a_decode_error_and_nothing_else(shape: type[msgspec.Struct], value: object) -> None:
    try:
        request = msgspec.json.decode(msgspec.json.encode(value), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    assert msgspec.json.decode(msgspec.json.encode(request), type=shape) == request


@pytest.mark.parametrize(
    "fields",
    [
        {"username": "a" * 257},
        {"username": 7},
        {"username": None},
        {"password": "a" * 1025},
        {"ip": ""},
        {"ip": "a" * 254},
        {"port": 0},
        {"port": 65536},
        {"port": "8000"},
        {"port": True},
        {"port": 8000.5},
        {"csr": "a" * 8193},
        {"counter": -1},
        {"counter": 2**62 + 1},
        {"signature": "a" * 129},
    ],
)
def test_a_login_with_a_field_beyond_its_bounds_is_refused(fields: dict[str, Any]) -> None:
    sound = {"username": "alice", "password": "correct horse", "ip": "10.0.0.7", "port": 8000}
    assert msgspec.convert(sound, LoginRequest).username == "alice"
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(sound | fields), type=LoginRequest)


@pytest.mark.parametrize("field", ["username", "password", "ip", "port"])
@pytest.mark.parametrize("shape", [RegisterRequest, LoginRequest])
def test_every_field_of_the_reports_table_is_required(shape: type[msgspec.Struct], field: str) -> None:
    sound = {"username": "alice", "password": "correct horse", "ip": "10.0.0.7", "port": 8000}
    msgspec.convert(sound, shape)
    del sound[field]
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(sound, shape)


def test_a_user_has_the_fields_of_the_reports_section_5_1_but_never_the_password() -> None:
    shown = msgspec.to_builtins(UserAnswer(ALICE))
    assert shown["status"] == 200
    assert {"username", "ip", "port", "status", "last_seen"} <= shown["message"].keys()
    assert not any("password" in field or "hash" in field for field in shown["message"])


@pytest.mark.parametrize("status", ["away", "", None, 1])
def test_a_user_is_online_or_offline_and_nothing_else(status: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(msgspec.to_builtins(ALICE) | {"status": status}, User)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Answer("heartbeat recibido"), 200),
        (Registered("Registro exitoso", "alice-id", "alice"), 201),
        (LoggedIn("Login exitoso", "token", "alice-id", "alice", "PEM", 10, 30, "main", 1), 200),
        (UsersAnswer([ALICE]), 200),
        (ErrorAnswer("No", 404, "unknown_user"), 404),
    ],
)
def test_every_answer_has_message_and_status_and_survives_the_wire(answer: msgspec.Struct, status: int) -> None:
    wire = msgspec.json.encode(answer)
    assert msgspec.json.decode(wire)["status"] == status
    assert "message" in msgspec.json.decode(wire)
    assert msgspec.json.decode(wire, type=type(answer)) == answer


def test_an_answer_of_a_newer_manager_with_more_fields_is_understood() -> None:
    assert msgspec.json.decode(b'{"message": "hola", "status": 200, "weather": "fine"}', type=Answer) == Answer("hola")


def test_a_disconnect_without_a_reason_means_inactivity() -> None:
    request = msgspec.json.decode(b'{"username": "alice", "user_id": "alice-id"}', type=DisconnectRequest)
    assert request.reason == "inactive"
