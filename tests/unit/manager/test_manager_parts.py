"""The small shells: settings, places, background tasks, metrics, certificates in time, the embedded server."""

import asyncio
import socket
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from msgspec.structs import replace

from telegraph import supervision
from telegraph.errors import CannotStart, CaUnreadable, DataUnreadable, InsecureOffLoopback, PortTaken, TestingOnly
from telegraph.manager import places
from telegraph.manager.background import keep_running
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.metrics import Metrics
from telegraph.manager.moment import Moment
from telegraph.manager.responder import bind
from telegraph.manager.server import Identity, renew_at, server_context
from telegraph.manager.settings import ManagerSettings, is_loopback
from telegraph.protocol.addresses import Address
from telegraph.protocol.identity import MANAGER_ALIAS

NOW = Moment(0.0, datetime(2030, 1, 1, tzinfo=UTC).timestamp())
DEFAULTS = ManagerSettings(data=Path("/nonexistent"))


# --- settings ---


def test_the_defaults_are_the_reports_ports_and_times() -> None:
    DEFAULTS.check()
    assert (DEFAULTS.port, DEFAULTS.udp_port, DEFAULTS.heartbeat_interval, DEFAULTS.offline_after) == (
        8000,
        5353,
        10.0,
        30.0,
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "chat.example.org"])  # noqa: S104 - nothing binds it
def test_plain_http_is_refused_off_loopback(host: str) -> None:
    with pytest.raises(InsecureOffLoopback):
        replace(DEFAULTS, insecure_http=True, host=host).check()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_plain_http_is_allowed_on_loopback(host: str) -> None:
    replace(DEFAULTS, insecure_http=True, host=host).check()
    assert is_loopback(host)


def test_times_that_make_no_sense_are_refused() -> None:
    for wrong in (
        replace(DEFAULTS, heartbeat_interval=30.0),
        replace(DEFAULTS, heartbeat_interval=0.0),
        replace(DEFAULTS, offline_after=float("nan")),
        replace(DEFAULTS, certificate_lifetime=timedelta()),
    ):
        with pytest.raises(CannotStart):
            wrong.check()


def test_a_weak_bcrypt_cost_is_for_tests_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TELEGRAPH_TESTING", raising=False)
    with pytest.raises(TestingOnly):
        replace(DEFAULTS, bcrypt_cost=4).check()


# --- places ---


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        (DEFAULTS, Address("127.0.0.1", 4321)),
        (replace(DEFAULTS, advertise="chat.example.org"), Address("chat.example.org", 4321)),
        (replace(DEFAULTS, advertise="[2001:db8::1]:9000"), Address("2001:db8::1", 9000)),
        (replace(DEFAULTS, host="0.0.0.0"), None),  # noqa: S104 - nothing binds it
        (replace(DEFAULTS, host="::", advertise="10.0.0.1"), Address("10.0.0.1", 4321)),
    ],
)
def test_a_manager_is_where_it_was_told_or_listens(settings: ManagerSettings, where: Address | None) -> None:
    assert places.advertised(settings, 4321) == where


def test_its_url_is_one_that_others_can_use() -> None:
    assert places.url_of(DEFAULTS, 4321) == "https://127.0.0.1:4321"
    assert places.url_of(replace(DEFAULTS, host="::1"), 4321) == "https://[::1]:4321"
    assert places.url_of(replace(DEFAULTS, insecure_http=True), 4321) == "http://127.0.0.1:4321"
    everywhere = places.url_of(replace(DEFAULTS, host="0.0.0.0"), 4321)  # noqa: S104 - nothing binds it
    assert everywhere == f"https://{places.outward_address()}:4321"
    assert "0.0.0.0" not in everywhere  # noqa: S104 - nothing binds it


def test_its_certificate_names_where_it_is_and_loopback() -> None:
    hosts = places.certificate_hosts(replace(DEFAULTS, host="10.0.0.1", advertise="chat.example.org:9000"))
    assert hosts == ["chat.example.org", "10.0.0.1", "localhost", "127.0.0.1", "::1"]
    everywhere = places.certificate_hosts(replace(DEFAULTS, host="0.0.0.0"))  # noqa: S104 - nothing binds it
    assert places.outward_address() in everywhere
    assert "0.0.0.0" not in everywhere  # noqa: S104 - nothing binds it


def test_the_ca_is_made_once(tmp_path: Path) -> None:
    first = places.load_or_create_ca(tmp_path, NOW)
    assert places.load_or_create_ca(tmp_path, NOW).fingerprint == first.fingerprint == places.ca_fingerprint(tmp_path)
    assert stat.S_IMODE((tmp_path / "ca-key.pem").stat().st_mode) == 0o600


@pytest.mark.parametrize("lost", ["ca.pem", "ca-key.pem"])
def test_half_a_ca_is_never_replaced_by_a_new_one(tmp_path: Path, lost: str) -> None:
    places.load_or_create_ca(tmp_path, NOW)
    (tmp_path / lost).unlink()
    with pytest.raises(CaUnreadable):
        places.load_or_create_ca(tmp_path, NOW)
    assert not (tmp_path / lost).exists()


def test_the_managers_id_is_made_once(tmp_path: Path) -> None:
    first = places.load_or_create_id(tmp_path)
    assert places.load_or_create_id(tmp_path) == first
    for content in ("", "not an id", "ñ"):
        (tmp_path / "manager-id").write_text(content)
        with pytest.raises(DataUnreadable):
            places.load_or_create_id(tmp_path)


# --- background ---


async def test_a_background_task_outlives_its_mistakes_and_tells_no_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervision, "_AGAIN_AFTER", 0.0)
    third = asyncio.Event()
    calls = 0

    async def work() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            third.set()
            await asyncio.Event().wait()
        raise ValueError("secret words")

    task = asyncio.create_task(keep_running("work", work))
    await asyncio.wait_for(third.wait(), 5)
    task.cancel()
    output = capsys.readouterr().out
    assert output.count("task_failed") == 1  # the second time it is no news
    assert "ValueError" in output
    assert "secret words" not in output


# --- metrics ---


def test_metrics_have_conventional_names_and_a_registry_of_their_own() -> None:
    one, other = Metrics(), Metrics()
    one.count_request("GET", "/peers", 200, 0.01)
    one.watch("users_online", "Users who are online", lambda: 7)
    one.marked_offline.inc()
    one.disconnects.labels("true").inc()
    text = one.text().decode()
    assert 'telegraph_manager_http_requests_total{method="GET",route="/peers",status="200"} 1.0' in text
    assert "telegraph_manager_users_online 7.0" in text
    assert "telegraph_manager_marked_offline_total 1.0" in text
    assert 'telegraph_manager_disconnect_calls_total{heard="true"} 1.0' in text
    assert "users_online" not in other.text().decode()


# --- certificates in time ---


def test_the_managers_certificate_has_the_role_and_is_due_after_two_thirds() -> None:
    ca = CertificateAuthority.create("Testing", NOW.utc)
    identity = Identity(ca, "m1", ["10.0.0.1"], timedelta(days=30))
    issued = x509.load_pem_x509_certificate(identity.issue(NOW.utc).certificate_pem.encode())
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert MANAGER_ALIAS in names.get_values_for_type(x509.DNSName)
    assert "telegraph:manager:m1" in names.get_values_for_type(x509.UniformResourceIdentifier)
    assert renew_at(identity.issue(NOW.utc)) - NOW.utc == timedelta(days=20)
    assert identity.issue(NOW.utc).key_pem != identity.issue(NOW.utc).key_pem


def test_the_server_speaks_tls_1_3_only_and_asks_nobody_for_a_certificate() -> None:
    ca = CertificateAuthority.create("Testing", datetime.now(UTC))
    context = server_context(Identity(ca, "m1", [], timedelta(days=1)).issue(datetime.now(UTC)))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert context.verify_mode is ssl.CERT_NONE


# --- sockets ---


@pytest.mark.parametrize(("kind", "option"), [(socket.SOCK_STREAM, "--port"), (socket.SOCK_DGRAM, "--udp-port")])
def test_a_taken_port_is_said_with_the_option_that_helps(kind: socket.SocketKind, option: str) -> None:
    with bind(kind, "127.0.0.1", 0, option) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortTaken) as refused:
            bind(kind, "127.0.0.1", port, option)
    assert option in str(refused.value)
    assert str(port) in str(refused.value)


@pytest.mark.parametrize("host", ["192.0.2.1", "name.invalid"])
def test_a_host_that_is_not_this_machine_is_said_so(host: str) -> None:
    with pytest.raises(CannotStart):
        bind(socket.SOCK_STREAM, host, 0, "--port")


def test_a_caller_from_this_machine_is_known_on_a_socket_for_both_kinds_of_addresses() -> None:
    assert is_loopback("::ffff:127.0.0.1")
    assert not is_loopback("::ffff:192.0.2.1")
