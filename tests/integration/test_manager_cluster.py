"""Several managers as one, real processes on loopback: alice and bob do not notice who of them crashes."""

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from telegraph.node.keys import DeviceKey
from telegraph.protocol.invites import parse_invite
from telegraph.testing.groups import ManagerGroup
from telegraph.testing.processes import PASSWORD, eventually, telegraph


def call(group: ManagerGroup, number: int, path: str, token: str | None = None, **body: object) -> Any:
    """One call to one manager, as a node would make it."""
    context = ssl.create_default_context(cafile=str(group.ca))
    headers = {"Content-Type": "application/json", "Accept-Language": "en"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(group.urls[number] + path, data=data, headers=headers)  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310 - our own
        return json.load(answer)


def register(group: ManagerGroup, number: int, name: str) -> Any:
    return call(group, number, "/register", username=name, password=PASSWORD, ip="127.0.0.1", port=9000)


def log_in(group: ManagerGroup, number: int, name: str, **more: str) -> Any:
    return call(group, number, "/login", username=name, password=PASSWORD, ip="127.0.0.1", port=9000, **more)


class Asked(NamedTuple):
    """One call, and what it came to; ``code`` is the error's, empty for none."""

    path: str
    name: str
    status: int
    code: str
    retry_after: str | None
    seconds: float


def storm(group: ManagerGroup, number: int, token: str, wave: str) -> list[Asked]:
    """32 heartbeats of alice, log-ins and registrations at one manager at once."""
    context = ssl.create_default_context(cafile=str(group.ca))
    account = {"password": PASSWORD, "ip": "127.0.0.1", "port": 9000}
    heartbeat: tuple[str, dict[str, object]] = ("/heartbeat", {"username": "alice"})
    entry: tuple[str, dict[str, object]] = ("/login", {"username": "bob", **account})
    calls = [heartbeat] * 10 + [entry] * 11
    calls += [("/register", {"username": f"{wave}{each}", **account}) for each in range(11)]

    def ask(path: str, body: dict[str, object]) -> Asked:
        headers = {"Content-Type": "application/json"}
        if path == "/heartbeat":
            headers["Authorization"] = f"Bearer {token}"
        url, data, begun = group.urls[number] + path, json.dumps(body).encode(), time.monotonic()
        request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310 - our own
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310 - our own
                status, code, wait = answer.status, "", None
        except urllib.error.HTTPError as refusal:
            with refusal:
                status, code, wait = refusal.code, json.load(refusal)["error"], refusal.headers["Retry-After"]
        return Asked(path, str(body["username"]), status, code, wait, time.monotonic() - begun)

    with ThreadPoolExecutor(len(calls)) as callers:
        return list(callers.map(lambda each: ask(*each), calls))


def all_told_in_time(asked: list[Asked], within: float) -> None:
    """Heartbeats of who is here are answered, all else is refused, with word of when to come again."""
    for each in asked:
        assert each.seconds < within, each
        if each.path == "/heartbeat":
            assert each.status == 200, each
        else:
            assert (each.status, each.retry_after) == (503, "1"), each


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagerGroup]:
    """A single manager that alice has registered with, then the first of three."""
    with ManagerGroup(tmp_path_factory.mktemp("group"), 0) as made:
        made.add_single()
        register(made, 0, "alice")
        before = made.say(0, "status")
        made.stop(0)
        made.start(0, "--cluster-init")
        assert made.say(0, "status")["state_hash"] == before["state_hash"]
        assert made.say(0, "status")["clustered"] is not before["clustered"]
        made.add()
        made.add()
        yield made


def test_a_group_is_one_directory_and_shows_itself(group: ManagerGroup) -> None:
    register(group, 1, "bob")
    token = log_in(group, 2, "alice")["token"]  # who registered before there was a group
    assert call(group, 0, "/users/bob", token)["message"]["username"] == "bob"
    shown = group.say(1, "status")
    assert shown["quorum"] is True
    assert sorted(member["url"] for member in shown["members"]) == sorted(group.urls)
    assert all(member["healthy"] and member["started"] and not member["is_learner"] for member in shown["members"])
    assert shown["raft_leader"] in group.urls
    assert group.say(2, "status")["state_hash"] == shown["state_hash"]
    assert "cluster of 3 managers" in telegraph("manager", "status", "--data", group.data(0)).out


def test_an_invite_names_all_managers(group: ManagerGroup) -> None:
    link = telegraph("manager", "invite", "--data", group.data(1)).out
    assert parse_invite(link).managers[0] == group.urls[1]
    assert sorted(parse_invite(link).managers) == sorted(group.urls)


def test_one_leader_does_the_jobs_and_another_follows_at_once_when_it_stops(group: ManagerGroup) -> None:
    leader = group.urls.index(group.say(0, "status")["leader"])
    assert group.stop(leader) == 0
    other = (leader + 1) % 3
    eventually(lambda: group.say(other, "status")["leader"] in {url for url in group.urls if url != group.urls[leader]})
    group.start(leader)


def test_every_manager_knows_the_ca_and_no_key_lies_open(group: ManagerGroup) -> None:
    for number in range(3):
        assert (group.data(number) / "ca.pem").read_bytes() == group.ca.read_bytes()
        assert not (group.data(number) / "ca-key.pem").exists()
        assert (group.data(number) / "cluster-secret").stat().st_mode & 0o077 == 0
    stored = (group.data(1) / "etcd" / "member" / "snap" / "db").read_bytes()
    assert b"cluster/ca" in stored
    assert b"PRIVATE KEY" not in stored


def test_a_users_certificate_is_refused_by_both_ports_of_etcd(group: ManagerGroup, tmp_path: Path) -> None:
    key = DeviceKey.create()
    answer = log_in(group, 0, "bob", csr=key.csr())
    (tmp_path / "user.pem").write_bytes(key.private_pem + answer["certificate"].encode())
    (tmp_path / "member.pem").write_bytes(
        (group.data(0) / "etcd-key.pem").read_bytes() + (group.data(0) / "etcd-cert.pem").read_bytes()
    )
    for port in (group.etcd_port(0), group.etcd_port(0) + 1):
        assert not lets_in(port, tmp_path / "user.pem")
        assert lets_in(port, tmp_path / "member.pem")


def lets_in(port: int, identity: Path) -> bool:
    """Whether a TLS server goes on after it has seen a certificate; TLS 1.3 refuses with its first record."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(identity)
    with socket.create_connection(("127.0.0.1", port), 5) as plain:
        try:
            with context.wrap_socket(plain) as secure:
                secure.sendall(b"GET /version HTTP/1.1\r\nHost: etcd\r\n\r\n")
                return secure.recv(12).startswith(b"HTTP/1.1")
        except (ssl.SSLError, ConnectionResetError):
            return False


def test_etcd_dies_with_its_manager_and_a_crashed_manager_is_back_at_once(group: ManagerGroup) -> None:
    process = group.running[2].process
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    etcd = next(int(each) for each in children if "etcd" in Path(f"/proc/{each}/cmdline").read_text())
    os.kill(process.pid, signal.SIGKILL)  # the manager alone, not its group
    process.wait(5)
    eventually(lambda: not is_running(etcd))
    register(group, 0, "carol")
    group.kill(2)
    group.start(2)
    token = log_in(group, 2, "carol")["token"]
    assert call(group, 2, "/users/alice", token)["message"]["username"] == "alice"


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_group_s_directory_is_backed_up_while_it_runs_and_becomes_a_single_manager(
    group: ManagerGroup, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("correct horse battery staple", encoding="utf-8")
    written = group.say(1, "backup", str(tmp_path / "copy"), "--passphrase-file", str(secret))
    restored = telegraph(
        *("manager", "restore", tmp_path / "copy", "--data", tmp_path / "manager-0"),
        *("--passphrase-file", secret, "--format", "json"),
    )
    assert (restored.code, restored.json["accounts"]) == (0, written["accounts"]), restored.err
    with ManagerGroup(tmp_path, 0) as alone:
        alone.add_single()
        shown = alone.say(0, "status")
        assert shown["state_hash"] == written["state_hash"] == group.say(0, "status")["state_hash"]
        assert (shown["clustered"], len(shown["members"])) == (False, 1)
        assert alone.ca.read_bytes() == group.ca.read_bytes()
        log_in(alone, 0, "alice")
        alone.stop(0)
        alone.start(0, "--cluster-init")  # and a cluster again, with secrets of its own
        shown = alone.say(0, "status")
        assert (shown["clustered"], shown["state_hash"]) == (True, written["state_hash"])
        assert alone.say(0, "token") != group.say(0, "token")
        log_in(alone, 0, "alice")


def test_without_a_majority_nothing_is_registered_and_afterwards_all_go_on(group: ManagerGroup, tmp_path: Path) -> None:
    known = json.loads((group.data(0) / "cluster.json").read_text())["clients"]
    assert len(known) == 3
    token = log_in(group, 0, "alice")["token"]
    call(group, 0, "/heartbeat", token, username="alice")
    group.kill(1, 2)
    asked = storm(group, 0, token, "early")
    all_told_in_time(asked, 2)
    eventually(lambda: storm(group, 0, token, "x")[-1].seconds < 0.5)  # by now it is known
    later = storm(group, 0, token, "later")
    all_told_in_time(later, 1)
    assert {each.code for each in later} == {"", "no_quorum"}
    shown = group.say(0, "status")
    assert (shown["quorum"], shown["state_hash"], len(shown["members"])) == (False, None, 3)
    leaving = telegraph("manager", "leave", "--data", group.data(0))
    assert leaving.code == 3
    (tmp_path / "secret").write_text("correct horse battery staple", encoding="utf-8")
    backing_up = telegraph(
        *("manager", "backup", tmp_path / "copy", "--data", group.data(0), "--passphrase-file", tmp_path / "secret")
    )
    assert (backing_up.code, "Too few identity managers" in backing_up.err) == (3, True)
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    group.start_all()
    eventually(lambda: call(group, 0, "/readyz")["status"] == 200)
    register(group, 0, "dave")
    for each in [*asked, *later]:
        if each.path == "/register":
            none_or_whole(group, each)


def none_or_whole(group: ManagerGroup, asked: Asked) -> None:
    """What was refused has left nothing behind; what is of unknown fate is there as a whole, or not at all."""
    with contextlib.ExitStack() as taken:
        if asked.code == "fate_unknown":
            taken.enter_context(contextlib.suppress(urllib.error.HTTPError))
        register(group, 1, asked.name)
    log_in(group, 2, asked.name)


def test_new_secrets_shut_out_whoever_had_the_old_ones(group: ManagerGroup, tmp_path: Path) -> None:
    before, old = group.say(0, "status")["state_hash"], group.joining()[3]
    stolen = tmp_path / "stolen.pem"
    stolen.write_bytes((group.data(0) / "etcd-key.pem").read_bytes() + (group.data(0) / "etcd-cert.pem").read_bytes())
    drawn = telegraph("manager", "rekey", "--data", group.data(0), "--out", tmp_path / "new")
    assert (drawn.code, group.say(0, "status")["state_hash"]) == (0, before), drawn.err
    running = telegraph("manager", "rekey", "--data", group.data(0), "--from", tmp_path / "new")
    assert running.code == 5
    group.kill(0, 1, 2)
    for number in range(3):
        taken = telegraph("manager", "rekey", "--data", group.data(number), "--from", tmp_path / "new")
        assert taken.code == 0, taken.err
    group.start_all()
    assert group.say(1, "status")["state_hash"] == before
    token = log_in(group, 1, "alice")["token"]
    assert call(group, 2, "/users/bob", token)["message"]["username"] == "bob"
    mine = tmp_path / "mine.pem"
    mine.write_bytes((group.data(0) / "etcd-key.pem").read_bytes() + (group.data(0) / "etcd-cert.pem").read_bytes())
    for port in (group.etcd_port(0), group.etcd_port(2) + 1):
        assert (lets_in(port, stolen), lets_in(port, mine)) == (False, True)
    assert refused_everywhere(group, old) == [401] * 3
    for number in range(3):
        assert not (group.data(number) / "new-secrets.json").exists()


def refused_everywhere(group: ManagerGroup, token: str) -> list[int]:
    """What each manager answers to a newcomer with a token that is none any more."""

    def asked(number: int) -> int:
        with pytest.raises(urllib.error.HTTPError) as refused:
            call(group, number, "/cluster/formation", secret=token.rpartition(".")[2])
        with refused.value as answer:
            return answer.code

    return [asked(number) for number in range(3)]


def test_a_manager_whose_data_is_lost_is_replaced_by_one_command(group: ManagerGroup) -> None:
    group.kill(2)
    shutil.rmtree(group.data(2))
    again = telegraph(
        *("manager", "run", "--data", group.data(2), "--port", group.urls[2].rpartition(":")[2], "--udp-port", "0"),
        *("--etcd-port", str(group.etcd_port(2)), *group.joining()),
    )
    assert (again.code, "--replace" in again.err) == (5, True)
    group.start(2, *group.joining(), "--replace")
    assert sorted(member["url"] for member in group.say(0, "status")["members"]) == sorted(group.urls)
    log_in(group, 2, "carol")


def test_a_manager_whose_machine_is_stolen_is_taken_out_by_another(group: ManagerGroup) -> None:
    status = group.say(0, "status")
    stolen = next(member["id"] for member in status["members"] if member["url"] == group.urls[1])
    assert telegraph("manager", "remove", "unknown", "--data", group.data(0)).code == 5
    own = (group.data(0) / "manager-id").read_text().strip()
    assert "manager leave" in telegraph("manager", "remove", own, "--data", group.data(0)).err
    assert group.say(0, "remove", stolen) == {"managers": 2}
    thief = group.running.pop(1)
    assert thief.process.wait(10) == 0  # it hears of it and ends
    thief.kill()
    assert [member["url"] for member in group.say(2, "status")["members"]].count(group.urls[1]) == 0
    shutil.rmtree(group.data(1))
    group.start(1, *group.joining())  # a new machine at the old address needs no --replace then


def test_a_token_that_was_replaced_lets_nobody_in(group: ManagerGroup, tmp_path: Path) -> None:
    old = group.joining()
    new = group.say(1, "token", "--rotate")["token"]
    assert (new != old[3], group.say(0, "token")["token"]) == (True, new)
    assert refused_everywhere(group, old[3]) == [401] * 3
    refused = telegraph("manager", "run", "--data", tmp_path / "late", "--port", "0", "--udp-port", "0", *old)
    assert (refused.code, "token" in refused.err) == (4, True)
    other = old[3].split(".")
    strange = telegraph(
        *("manager", "run", "--data", tmp_path / "x", "--port", "0", "--udp-port", "0", "--join", group.urls[0]),
        *("--token", f"{other[0]}.{'0' * 64}.{other[2]}"),
    )
    assert (strange.code, "do not use it" in strange.err) == (5, True)


KEPT_BY_WHO_LEFT = {"ca.pem", "cluster.json", "etcd-ca.pem", "lock", "manager-id"}


def test_a_manager_leaves_and_the_others_go_on(group: ManagerGroup) -> None:
    assert group.say(1, "leave") == {"managers": 2}
    left = group.running.pop(1)
    assert left.process.wait(10) == 0
    assert {each.name for each in group.data(1).iterdir()} == KEPT_BY_WHO_LEFT
    status = telegraph("manager", "status", "--data", group.data(1))
    assert (status.code, "is not part of a cluster" in status.err) == (5, True)
    assert {each.name for each in group.data(1).iterdir()} == KEPT_BY_WHO_LEFT  # no empty directory beside it
    shown = group.say(0, "status")
    assert (len(shown["members"]), shown["quorum"]) == (2, True)
    token = log_in(group, 0, "dave")["token"]
    assert call(group, 2, "/users/alice", token)["message"]["username"] == "alice"
    again = telegraph("manager", "run", "--data", group.data(1), "--port", "0", "--udp-port", "0")
    assert (again.code, "--join" in again.err) == (5, True)
    left.kill()
