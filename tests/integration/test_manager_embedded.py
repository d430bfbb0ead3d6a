"""A manager inside another process: failing starts leave nothing behind, certificates are renewed in time."""

import asyncio
import contextlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from msgspec.structs import replace

from telegraph.errors import PortTaken
from telegraph.manager.app import Manager
from telegraph.manager.notify import Notifier
from telegraph.manager.server import Identity, server_context
from telegraph.manager.settings import ManagerSettings
from telegraph.peer.credentials import Credentials
from telegraph.protocol.addresses import Address
from telegraph.protocol.identity import MANAGER_ALIAS
from telegraph.rest import server
from telegraph.testing.certificates import Organisation


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ManagerSettings:
    monkeypatch.setenv("TELEGRAPH_TESTING", "1")
    return ManagerSettings(data=tmp_path / "manager", port=0, udp_port=0, bcrypt_cost=4)


async def test_a_start_that_fails_leaves_nothing_behind(settings: ManagerSettings, tmp_path: Path) -> None:
    async with Manager(replace(settings, data=tmp_path / "other")) as other:
        for taken in (replace(settings, port=other.port), replace(settings, udp_port=other.udp_port)):
            with pytest.raises(PortTaken):
                await Manager(taken).start()
        async with Manager(settings) as manager:
            assert manager.port != other.port


async def test_stopping_twice_is_stopping_once(settings: ManagerSettings) -> None:
    manager = Manager(settings)
    await manager.start()
    await manager.stop()
    await manager.stop()
    await asyncio.wait_for(manager.serve_forever(), 1)


def shown_by(context: ssl.SSLContext, ca_pem: str) -> x509.Certificate:
    """The certificate that a server with this context shows, by a handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    trusting = ssl.create_default_context(cadata=ca_pem)
    client = trusting.wrap_bio(to_client, to_server, server_hostname=MANAGER_ALIAS)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue
    der = client.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


async def test_the_managers_certificate_is_renewed_before_it_runs_out(settings: ManagerSettings) -> None:
    organisation = Organisation()
    identity = Identity(organisation.ca, "m1", ["127.0.0.1"], timedelta(days=30))
    old = identity.issue(datetime.now(UTC) - timedelta(days=21))
    context = server_context(old)
    before = shown_by(context, organisation.ca.pem)
    renewed = asyncio.Event()

    class Listening(Notifier):
        def replace_credentials(self, credentials: Credentials) -> None:
            super().replace_credentials(credentials)
            renewed.set()

    manager = Manager(settings)
    manager._notifier = Listening(old)
    task = asyncio.create_task(manager._keep_certificate(identity, old, context))
    await asyncio.wait_for(renewed.wait(), 5)
    task.cancel()
    after = shown_by(context, organisation.ca.pem)
    assert after.serial_number != before.serial_number
    assert after.not_valid_after_utc - datetime.now(UTC) > timedelta(days=29)


async def test_telling_nobody_is_no_error_and_too_many_are_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telegraph.manager.notify.MAX_WAITING", 3)
    notifier = Notifier(Organisation().manager())
    tasks = [notifier.tell(Address("127.0.0.1", 1), "u1", "alice", "inactive") for _ in range(5)]
    assert [task is None for task in tasks] == [False, False, False, True, True]
    assert await asyncio.gather(*(task for task in tasks if task is not None)) == [False, False, False]
    assert notifier.tell(Address("127.0.0.1", 1), "u1", "alice", "inactive") is not None
    await notifier.close()


@pytest.mark.parametrize(
    "beginning",
    [b"", b"GET /livez HTTP/1.1\r\nHo", b"POST /login HTTP/1.1\r\nHost: m\r\nContent-Length: 99\r\n\r\n{"],
)
async def test_who_does_not_finish_a_request_loses_the_connection(
    settings: ManagerSettings, monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    monkeypatch.setattr(server, "REQUEST_WITHIN", 0.1)
    async with Manager(replace(settings, insecure_http=True)) as manager:
        reader, writer = await asyncio.open_connection("127.0.0.1", manager.port)
        writer.write(beginning)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


_CHUNKED = b"POST /login HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("beginning", "more"),
    [
        (b"GET /livez HTTP/1.1\r\nHost: ", b"m" * 1000),
        (b"GET /livez HTTP/1.1\r\n", b"Name: value\r\n" * 80),
        (b"GET /", b"a" * 1000),
        (_CHUNKED + b"1;", b"extension" * 100),
        (_CHUNKED + b"1\r\n{\r\n0\r\nTrailer: ", b"t" * 1000),
    ],
)
async def test_a_head_without_end_loses_the_connection(
    settings: ManagerSettings, beginning: bytes, more: bytes
) -> None:
    async with Manager(replace(settings, insecure_http=True)) as manager:
        reader, writer = await asyncio.open_connection("127.0.0.1", manager.port)
        writer.write(beginning)
        sent = 0
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof() and sent < 10 * server.MAX_HEAD_BYTES:
                writer.write(more)
                await writer.drain()
                sent += len(more)
                await asyncio.sleep(0)
        assert sent < 10 * server.MAX_HEAD_BYTES
        writer.close()


async def test_an_event_stream_is_no_unfinished_request(
    settings: ManagerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "REQUEST_WITHIN", 0.1)
    alice = {"username": "alice", "password": "correct horse", "ip": "10.0.0.1", "port": 8000}
    async with Manager(replace(settings, insecure_http=True)) as manager, aiohttp.ClientSession(manager.url) as web:
        await web.post("/register", json=alice)
        token = (await (await web.post("/login", json=alice)).json())["token"]
        async with web.ws_connect("/events", headers={"Authorization": f"Bearer {token}"}) as stream:
            assert (await stream.receive_json(timeout=5))["type"] == "managers"
            late = asyncio.Event()
            asyncio.get_running_loop().call_later(0.3, late.set)
            await late.wait()
            await stream.send_json({"type": "heartbeat"})
            assert (await stream.receive_json(timeout=5))["type"] == "heartbeat_received"
