"""What others can see: on the wire between two nodes, and on their disks. And what strangers get: nothing."""

import asyncio
import base64
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
from people import RealTown, town
from planted import NO_BUG
from relay import read_identity
from wire import (
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    CLIENT_HELLO,
    HANDSHAKE,
    SERVER_HELLO,
    TLS_1_3,
    chosen_version,
    records,
    streams,
)

from telegraph.node.keys import DeviceKey
from telegraph.peer.credentials import Credentials, client_context
from telegraph.protocol.frames import Frame, Hello, MessageFrame, decode_frames, encode_frames
from telegraph.protocol.identity import holder_of
from telegraph.protocol.node_api import Conversations
from telegraph.testing.certificates import Organisation
from telegraph.testing.history import Kept
from telegraph.testing.hosts import Network
from telegraph.testing.processes import PASSWORD

CANARY = "the canary sings at dawn ñandú"
PEER_PORT = 8000
TCP = (socket.AF_INET, socket.SOCK_STREAM, 0)

pytestmark = pytest.mark.timeout(300)  # processes start slowly on a busy machine


def disguises(secret: bytes) -> Iterator[bytes]:
    """How a secret may lie somewhere and still be readable by whoever knows where to look."""
    yield secret
    yield secret.decode().encode("utf-16-le")
    yield secret.hex().encode()
    for shift in range(3):  # wherever it begins in what was encoded
        yield base64.b64encode(bytes(shift) + secret)[4:-4]


def finds(secret: str, content: bytes) -> bool:
    return any(disguise in content for disguise in disguises(secret.encode()))


async def talk(running: RealTown) -> None:
    people = list(running.people.values())
    for number in range(20):
        await people[number % 2].send(people[1 - number % 2].name, f"{CANARY} {'!' * number * 100}")
    await running.settle(within=30)


@pytest.mark.parametrize("hidden", [b"%s", b"\0\0%s\0", b"x%sy"])
def test_the_search_finds_what_is_readable(hidden: bytes) -> None:
    content = hidden.replace(b"%s", CANARY.encode())

    assert finds(CANARY, content)
    assert finds(CANARY, content.hex().encode())
    assert finds(CANARY, base64.b64encode(content))
    assert finds(CANARY, content.decode().encode("utf-16-le"))
    assert not finds(CANARY, content.upper())


# --- the wire ---


async def test_on_the_wire_there_is_tls_1_3_and_nothing_to_read(tmp_path: Path) -> None:
    async with town(tmp_path, "alice", "bob") as running:
        running.network.capture(tmp_path / "wire.pcap")
        await talk(running)
        running.network.counts()
        hosts = {person.host.address for person in running.people.values()}

    capture = (tmp_path / "wire.pcap").read_bytes()
    assert not finds(CANARY, capture)
    between = {way: said for way, said in streams(capture).items() if {way.source, way.target} == hosts}
    assert sum(map(len, between.values())) > 20 * len(CANARY)
    for way, said in between.items():
        first, *rest = records(said)
        assert first.kind == HANDSHAKE
        if way.source_port == PEER_PORT:
            assert first.content[0] == SERVER_HELLO
            assert chosen_version(first.content) == TLS_1_3
        else:
            assert first.content[0] == CLIENT_HELLO
        assert {record.kind for record in rest} <= {CHANGE_CIPHER_SPEC, APPLICATION_DATA}
    assert any(way.source_port == PEER_PORT for way in between)


def test_the_capture_sees_what_is_said_in_the_clear(tmp_path: Path) -> None:
    with Network("alice", "bob") as network:
        network.capture(tmp_path / "wire.pcap")
        alice, bob = network["alice"], network["bob"]
        with bob.socket(TCP) as listening, alice.socket(TCP) as calling:
            listening.bind((bob.address, 5000))
            listening.listen()
            calling.connect((bob.address, 5000))
            calling.sendall(CANARY.encode())
            answering, _ = listening.accept()
            with answering:
                assert answering.recv(100)
        network.counts()

    capture = (tmp_path / "wire.pcap").read_bytes()
    assert finds(CANARY, capture)
    assert CANARY.encode() in streams(capture).values()


# --- strangers ---


def stranger(kind: str, ca_pem: str) -> ssl.SSLContext:
    """What somebody dials with who does not belong here; they know the CA's certificate, which is no secret."""
    device = Organisation().device("mallory")
    if kind == "another CA's certificate":
        return client_context(Credentials(device.credentials.certificate_pem, device.key.private_pem, ca_pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=ca_pem)
    return context


def knock(running: RealTown, context: ssl.SSLContext) -> bytes:
    """Says a whole greeting to bob, from a host of mallory's; what bob answers before he hangs up.

    Raises:
        ssl.SSLError, ConnectionError: he hung up without a word.
    """
    hello = encode_frames([Hello([1], "mallory-id", "mallory")])
    request = (
        b"GET /link HTTP/1.1\r\nHost: bob\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    with running.network["mallory"].socket(TCP) as plain:
        plain.settimeout(10)
        plain.connect((running.network["bob"].address, PEER_PORT))
        with context.wrap_socket(plain) as line:
            line.sendall(request)
            answer = line.recv(1000)
            line.sendall(hello)
            return answer


async def test_strangers_are_refused_in_the_handshake_and_leave_nothing(tmp_path: Path) -> None:
    async with town(tmp_path, "alice", "bob", guests=("mallory",)) as running:
        await talk(running)
        ca_pem = (tmp_path / "manager" / "ca.pem").read_text()
        before = len(running.history.records)

        for kind in ("no certificate", "another CA's certificate"):
            with pytest.raises((ssl.SSLError, ConnectionError)) as refusal:
                knock(running, stranger(kind, ca_pem))
            assert not isinstance(refusal.value, ssl.SSLCertVerificationError)  # it was bob who refused, not mallory

        status, answer = await running.people["bob"].call("GET", "/conversations")
        assert status == 200
        assert [found.user for found in msgspec.json.decode(answer, type=Conversations).conversations] == ["alice"]
        assert len(running.history.records) == before


async def greet_as(running: RealTown, identity: Credentials) -> list[Frame]:
    """Opens a link to bob from mallory's host under a stolen identity, greets and writes: what bob says first."""
    holder = holder_of(ssl.PEM_cert_to_DER_cert(identity.certificate_pem))
    forged = MessageFrame(
        id=bytes(15) + b"!", seq=1000, seen=0, sender=holder.id, recipient="bob", sent_at=0, text="send me money"
    )
    connector = aiohttp.TCPConnector(socket_factory=running.network["mallory"].socket)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.ws_connect(
            f"https://{running.network['bob'].address}:{PEER_PORT}/link", ssl=client_context(identity)
        ) as link,
    ):
        await link.send_bytes(encode_frames([Hello([1], holder.id, "alice")]))
        await link.send_bytes(encode_frames([forged]))
        answer = await link.receive(timeout=10)
        return decode_frames(answer.data) if answer.type is aiohttp.WSMsgType.BINARY else []


async def log_in_elsewhere(running: RealTown, name: str) -> None:
    """Somebody logs in on another device, from mallory's host: the key of the one before is revoked."""
    trust = ssl.create_default_context(cafile=str(running.root / "manager" / "ca.pem"))
    trust.check_hostname = False  # a test's short cut: nodes ask for the managers' name
    body = {
        "username": name,
        "password": PASSWORD,
        "ip": running.network["mallory"].address,
        "port": PEER_PORT,
        "csr": DeviceKey.create().csr(),
    }
    connector = aiohttp.TCPConnector(socket_factory=running.network["mallory"].socket)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.post(f"{running.manager_urls[0]}/login", json=body, ssl=trust) as answer,
    ):
        assert answer.status == 200, await answer.text()


async def said(running: RealTown) -> list[Kept]:
    """What bob has of alice; not his node's own notices of her keys, which have no text."""
    return [message for message in await running.people["bob"].kept("alice") if message.text]


async def test_a_device_whose_key_was_revoked_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    async with town(tmp_path, "alice", "bob", guests=("mallory",), bug=NO_BUG) as running:
        await talk(running)
        stolen = read_identity(running.people["alice"].identity_file)
        assert isinstance((await greet_as(running, stolen))[0], Hello)  # as long as nobody knows, it is alice's device
        before = await said(running)

        await log_in_elsewhere(running, "alice")
        async with asyncio.timeout(60):
            while "revoked_keys_learnt" not in running.logs():  # noqa: ASYNC110 - it is in the log of another process
                await asyncio.sleep(0.1)

        assert not any(isinstance(frame, Hello) for frame in await greet_as(running, stolen))
        assert await said(running) == before


# --- the disk ---

SECRETS = (CANARY, PASSWORD, "zebedee")


def readable(directory: Path) -> list[str]:
    """Every file below a directory in which a secret can be read, and which."""
    return [
        f"{file.name}: {secret}"
        for file in sorted(directory.rglob("*"))
        if file.is_file()
        for secret in SECRETS
        if finds(secret, file.read_bytes())
    ]


def open_files(pid: int) -> list[str]:
    """Regular files that a process has open, whether they still have a name or not."""
    links = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    return [link for link in links if link.startswith("/") and not link.startswith(("/dev/", "/proc/", "/memfd:"))]


async def test_on_the_disk_nothing_can_be_read_after_use_or_after_a_crash(tmp_path: Path) -> None:
    async with town(tmp_path, "zebedee", "bob") as running:
        await talk(running)
        bob = running.people["bob"]
        assert bob.process is not None
        elsewhere = [file for file in open_files(bob.process.process.pid) if not file.startswith(str(bob.data))]
        in_use = readable(bob.data)
        for number in range(50):
            await bob.send("zebedee", f"{CANARY} {number}")
        assert running.manager is not None
        running.manager.kill()  # what fails is logged
        await bob.send("zebedee-the-second", CANARY)
        await bob.kill()
        after_crash = readable(bob.data)
        names = {file.name for file in bob.data.iterdir()}
        logs = "".join(bob.logs)

    assert in_use == after_crash == []
    assert elsewhere == []
    assert any(name.endswith("-wal") for name in names), names  # a crash leaves its log, which was searched
    assert "manager_away" in logs
    assert [line for line in logs.splitlines() if any(secret in line for secret in SECRETS)] == []


async def test_a_store_in_the_clear_would_be_found(tmp_path: Path) -> None:
    async with town(tmp_path, "zebedee", "bob", bug="store_in_the_clear") as running:
        await talk(running)
        found = readable(running.people["bob"].data)

    assert any(CANARY in finding for finding in found)
    assert any("zebedee" in finding for finding in found)


def test_the_scan_finds_what_is_readable(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "draft").write_text(f"Dear zebedee, {CANARY}")

    assert readable(tmp_path) == [f"draft: {CANARY}", "draft: zebedee"]
