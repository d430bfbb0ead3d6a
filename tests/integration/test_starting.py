"""How managers and nodes start, find each other, and refuse to start: one sentence, an exit code, no traceback."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from telegraph.testing.processes import (
    PASSWORD,
    Finished,
    RealTelegraph,
    RunningProcess,
    start_node,
    telegraph,
)

READY = r"Node ready: (?P<url>http://\S+)"


def refused(finished: Finished, *words: str) -> None:
    assert finished.code == 5, finished.out + finished.err
    assert "Traceback" not in finished.err
    sentences = [line for line in finished.err.splitlines() if line.startswith("telegraph: ")]
    assert len(sentences) == 1, finished.err
    for word in words:
        assert word in sentences[0]


def node(data: Path, *options: str | Path) -> Finished:
    return telegraph("node", "run", "--data", data, "--peer-port", "0", "--api-port", "0", *options)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealTelegraph]:
    running = RealTelegraph(tmp_path_factory.mktemp("home"))
    yield running
    running.close()


@pytest.fixture
def taken() -> Iterator[str]:
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        yield str(somebody.getsockname()[1])


def test_a_taken_port_is_named_with_the_option_that_chooses_another(tmp_path: Path, taken: str) -> None:
    manager = ("manager", "run", "--data", tmp_path / "m")
    refused(telegraph(*manager, "--port", taken, "--udp-port", "0"), taken, "--port")
    refused(
        telegraph("node", "run", "--data", tmp_path / "n", "--host", "127.0.0.1", "--peer-port", taken),
        taken,
        "--peer-port",
    )
    refused(
        telegraph("node", "run", "--data", tmp_path / "n", "--peer-port", "0", "--api-port", taken),
        taken,
        "--api-port",
    )


def test_a_taken_udp_port_is_named_too(tmp_path: Path) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as somebody:
        somebody.bind(("127.0.0.1", 0))
        port = str(somebody.getsockname()[1])

        refused(telegraph("manager", "run", "--data", tmp_path, "--port", "0", "--udp-port", port), port, "--udp-port")


def test_a_data_directory_serves_one_process_at_a_time(home: RealTelegraph, tmp_path: Path) -> None:
    refused(telegraph("manager", "run", "--data", home.root / "manager", "--port", "0"), "in use", "--data")
    with start_node(tmp_path, home.url, home.root / "manager" / "ca.pem"):
        refused(node(tmp_path, "--manager", home.url), "in use", "--data")


@pytest.mark.parametrize("content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path, content: str | None) -> None:
    ca = tmp_path / "ca.pem"
    if content is not None:
        ca.write_text(content)

    refused(node(tmp_path / "n", "--manager", "https://127.0.0.1:9", "--ca", ca), "ca.pem")


def test_a_damaged_database_is_told_and_left_alone(tmp_path: Path) -> None:
    for name, command in (("messages.sqlite3", "node"), ("directory.sqlite3", "manager")):
        data = tmp_path / command
        data.mkdir()
        (data / name).write_bytes(b"this is no database" * 100)

        refused(telegraph(command, "run", "--data", data), str(data))
        assert (data / name).read_bytes().startswith(b"this is no database")


def test_plain_http_is_refused_off_loopback(tmp_path: Path) -> None:
    command = ("manager", "run", "--data", tmp_path, "--insecure-http", "--port", "0", "--udp-port", "0")

    refused(telegraph(*command, "--host", "0.0.0.0"), "--insecure-http")  # noqa: S104 - that is the point


def test_weak_passwords_hashes_are_refused_outside_of_tests(tmp_path: Path) -> None:
    refused(telegraph("manager", "run", "--data", tmp_path, "--bcrypt-cost", "4"), "TELEGRAPH_TESTING")


@pytest.mark.parametrize(
    "options",
    [
        ("--certificate-days", "nan"),
        ("--certificate-days", "1e12"),
        ("--certificate-days", "999999999"),
        ("--offline-after", "inf"),
        ("--heartbeat-interval", "nan"),
    ],
)
def test_times_that_nobody_can_count_are_refused(tmp_path: Path, options: tuple[str, str]) -> None:
    refused(telegraph("manager", "run", "--data", tmp_path, "--port", "0", "--udp-port", "0", *options))


def test_an_unknown_ca_is_shown_and_not_trusted_where_nobody_can_be_asked(home: RealTelegraph, tmp_path: Path) -> None:
    finished = node(tmp_path, "--manager", home.url)

    refused(finished, "SHA-256", "--ca-fingerprint")
    fingerprint = finished.err.rsplit(" ", 1)[1].strip()
    with started(tmp_path, "--manager", home.url, "--ca-fingerprint", fingerprint):
        assert telegraph("register", "dora", "--data", tmp_path, password=PASSWORD).code == 0


def test_a_manager_of_another_organisation_is_not_used(home: RealTelegraph, tmp_path: Path) -> None:
    refused(node(tmp_path, "--manager", home.url, "--ca-fingerprint", "ab" * 32), "does not belong")


def started(data: Path, *options: str) -> RunningProcess:
    return RunningProcess(
        *("node", "run", "--data", str(data), "--host", "127.0.0.1", "--peer-port", "0", "--api-port", "0", *options),
        ready=READY,
    )


def test_an_invite_link_is_all_that_a_newcomer_needs(home: RealTelegraph, tmp_path: Path) -> None:
    link = telegraph("manager", "invite", "--data", home.root / "manager").out.strip().splitlines()[-1]
    assert link.startswith("telegraph://join?")

    with started(tmp_path, "--invite", link):
        assert telegraph("register", "carol", "--data", tmp_path, password=PASSWORD).code == 0


def test_a_node_finds_a_manager_by_scanning(home: RealTelegraph, tmp_path: Path) -> None:
    """Nobody tells it where: the UDP scan of loopback does."""
    udp = next(line for line in home.manager.output if "udp_port=" in line).rsplit("udp_port=", 1)[1].split()[0]
    ca = str(home.root / "manager" / "ca.pem")

    with started(tmp_path, "--scan", "127.0.0.0/30", "--udp-port", udp, "--ca", ca):
        assert telegraph("register", "erik", "--data", tmp_path, password=PASSWORD).code == 0


def test_a_node_starts_without_any_manager_and_says_so(tmp_path: Path, home: RealTelegraph) -> None:
    with start_node(tmp_path, "https://127.0.0.1:9", home.root / "manager" / "ca.pem"):
        finished = telegraph("register", "frida", "--data", tmp_path, password=PASSWORD)
        assert finished.code == 3
        assert "manager" in finished.err
        assert telegraph("status", "--data", tmp_path, "--format", "json").json["account"] == "none"


def test_both_stop_on_sigterm_with_exit_code_zero(home: RealTelegraph, tmp_path: Path) -> None:
    running = start_node(tmp_path, home.url, home.root / "manager" / "ca.pem")
    assert telegraph("register", "gina", "--data", tmp_path, password=PASSWORD).code == 0

    assert running.stop() == 0
    assert "Traceback" not in running.log
    assert not (tmp_path / "api-endpoint").exists()


def test_no_password_token_or_text_is_ever_logged(home: RealTelegraph, tmp_path: Path) -> None:
    ca = home.root / "manager" / "ca.pem"
    with start_node(tmp_path / "h", home.url, ca) as one, start_node(tmp_path / "i", home.url, ca) as other:
        for name in ("h", "i"):
            assert telegraph("register", f"hans-{name}", "--data", tmp_path / name, password=PASSWORD).code == 0
        assert telegraph("send", "hans-i", "a very private word", "--data", tmp_path / "h").code == 0
        assert telegraph("login", "hans-i", "--data", tmp_path / "i", password="wrong password").code == 4
        token = (tmp_path / "h" / "api-token").read_text()
        logs = one.log + other.log + home.manager.log

    for secret in (PASSWORD, "wrong password", "a very private word", token):
        assert secret not in logs


def test_nobody_else_on_the_machine_can_read_what_is_on_disk(home: RealTelegraph, tmp_path: Path) -> None:
    data = tmp_path / "n"
    data.mkdir(mode=0o755)  # made by hand, before
    with start_node(data, home.url, home.root / "manager" / "ca.pem"):
        assert telegraph("register", "ines", "--data", data, password=PASSWORD).code == 0
        for directory in (data, home.root / "manager"):
            assert directory.stat().st_mode & 0o777 == 0o700
        private = [*data.iterdir(), *(home.root / "manager").glob("*key*"), *(home.root / "manager").glob("*.sqlite3*")]
        assert [file.name for file in private if file.stat().st_mode & 0o077] == []
        assert {"store.sqlite3", "store.sqlite3-wal", "vault.json", "api-token"} <= {file.name for file in private}
