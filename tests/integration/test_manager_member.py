"""A manager's own etcd member: it comes back by itself, and whatever was broken off while it was made is repeated."""

import asyncio
import os
import signal
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from telegraph.directory import records
from telegraph.directory.port import Put
from telegraph.directory.sqlite import SqliteDirectory
from telegraph.errors import CannotStart, NotInCluster, PortTaken
from telegraph.manager.app import Manager
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.clock import read_clock
from telegraph.manager.cluster import beginning, joining
from telegraph.manager.cluster.beside import group_beside
from telegraph.manager.cluster.binary import find_etcd
from telegraph.manager.cluster.certificates import MemberCertificate
from telegraph.manager.cluster.command import ETCD_CERTIFICATE_FILE, Member, arguments
from telegraph.manager.cluster.links import Links
from telegraph.manager.cluster.organisation import Organisation, load_etcd_authority
from telegraph.manager.cluster.process import EtcdProcess
from telegraph.manager.cluster.putting_aside import KEPT_DIRECTORY
from telegraph.manager.cluster.state import load_state
from telegraph.manager.cluster.vault import load_token
from telegraph.manager.places import DIRECTORY_FILE
from telegraph.manager.settings import ClusterSettings, ManagerSettings
from telegraph.testing.groups import free_ports


@pytest.fixture
async def member(tmp_path: Path) -> AsyncIterator[tuple[Member, EtcdProcess, MemberCertificate]]:
    """One etcd, which is a group of its own."""
    now = read_clock().utc
    organisation = Organisation.create(CertificateAuthority.create("Testing", now), now)
    organisation.save(tmp_path)
    certificate = MemberCertificate(tmp_path, ["127.0.0.1"])
    certificate.issue(organisation.etcd_authority(), now)
    made = Member(tmp_path, "one", "127.0.0.1", "127.0.0.1", free_ports(2))
    program, _ = await find_etcd()
    process = EtcdProcess(program, arguments(made, {"one": made.peer_url}, "new", "test"))
    await process.start()
    await process.ready(20)
    yield made, process, certificate
    await process.stop()


async def test_an_etcd_that_crashes_is_started_again(member: tuple[Member, EtcdProcess, MemberCertificate]) -> None:
    _, process, _ = member
    first = process.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    async with asyncio.timeout(20):
        while process.restarts == 0:  # noqa: ASYNC110 - it is another process that we wait for
            await asyncio.sleep(0.01)
        await process.ready()
    assert process.pid not in (None, first)


async def test_etcd_shows_a_renewed_certificate_without_a_restart(
    member: tuple[Member, EtcdProcess, MemberCertificate],
) -> None:
    made, process, certificate = member
    before = await shown(made.port)
    certificate.issue(load_etcd_authority(made.data), read_clock().utc)
    for port in (made.port, made.port + 1):
        assert await shown(port) == on_disk(made.data) != before
    assert process.restarts == 0


async def test_an_endless_line_in_its_log_does_not_stop_it(tmp_path: Path) -> None:
    script = tmp_path / "etcd"
    script.write_text(
        "#!/bin/sh\nhead -c 900000 /dev/zero | tr '\\0' x >&2\n"
        """echo >&2; echo '{"level":"warn","msg":"and then"}' >&2; exec sleep 60\n"""
    )
    script.chmod(0o700)
    process = EtcdProcess(script, [])
    await process.start()
    try:
        async with asyncio.timeout(20):
            while process.last_words != "and then":  # noqa: ASYNC110 - it is another process that we wait for
                await asyncio.sleep(0.01)
    finally:
        await process.stop()
    assert process.pid is None


def on_disk(data: Path) -> int:
    return x509.load_pem_x509_certificate((data / ETCD_CERTIFICATE_FILE).read_bytes()).serial_number


async def shown(port: int) -> int:
    """The serial number of the certificate that a server shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    found: ssl.SSLObject = writer.get_extra_info("ssl_object")
    der = found.getpeercert(binary_form=True)
    writer.transport.abort()
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


def settings(data: Path, **cluster: Any) -> ManagerSettings:
    return ManagerSettings(data=data, port=0, udp_port=0, cluster=ClusterSettings(**cluster))


async def content(data: Path) -> dict[str, bytes]:
    """What a group knows, as a command beside one of its managers sees it."""
    async with group_beside(data) as links:
        return {entry.key: entry.value for entry in (await links.directory.scan("account/")).entries}


class BrokenOff(Exception):
    """The crash."""


def breaking_off(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """A crash at a certain point: what follows does not happen."""

    async def crash(*_: object) -> None:
        raise BrokenOff

    monkeypatch.setattr(module, name, crash)


async def test_a_take_over_that_was_broken_off_begins_anew_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = settings(tmp_path, init=True, etcd_port=free_ports(3))
    directory = SqliteDirectory(tmp_path / DIRECTORY_FILE)
    await directory.commit([], [Put(f"account/{number:03}", b"somebody") for number in range(300)])
    await directory.close()
    with monkeypatch.context() as patch:
        breaking_off(patch, beginning, "put_record")  # everything is copied, and nothing says so yet
        with pytest.raises(BrokenOff):
            await Manager(first).start()
    assert not (tmp_path / KEPT_DIRECTORY).exists()
    async with Manager(settings(tmp_path)):  # meanwhile as a single manager, where somebody comes and somebody goes
        directory = SqliteDirectory(tmp_path / DIRECTORY_FILE)
        await directory.commit([], [Put("account/new", b"somebody new"), Put(records.REGISTRATION, b'"open"')])
        await directory.close()
    async with Manager(first):
        assert len(await content(tmp_path)) == 301
        assert (tmp_path / KEPT_DIRECTORY).exists()
    async with Manager(settings(tmp_path)):  # from now on without being told
        assert (await content(tmp_path))["account/new"] == b"somebody new"


@pytest.mark.timeout(90)
async def test_a_join_that_was_broken_off_anywhere_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    async with Manager(settings(one, init=True, etcd_port=free_ports(3))) as first:
        async with group_beside(one) as links:
            token = (await load_token(links.directory, first._core.group.secret)).text  # type: ignore[union-attr]
        second = settings(two, join=first.url, token=token, etcd_port=free_ports(3))
        await break_off(monkeypatch, second, "start_etcd")
        with pytest.raises(CannotStart, match="--join"):
            await Manager(settings(two)).start()
        await break_off(monkeypatch, second, "start_etcd")
        await break_off(monkeypatch, second, "_promote")
        await break_off(monkeypatch, settings(two), "put_record")  # it has a vote, and without it there is no majority
        async with Manager(settings(two)):
            state = load_state(two)
            assert state is not None
            assert state.stage == "member"
            async with group_beside(one) as links:
                assert await voters(links) == 2


async def break_off(monkeypatch: pytest.MonkeyPatch, chosen: ManagerSettings, where: str) -> None:
    """A newcomer crashes at a certain point."""
    with monkeypatch.context() as patch:
        breaking_off(patch, joining, where)
        with pytest.raises(BrokenOff):
            await Manager(chosen).start()


async def voters(links: Links) -> int:
    return sum(not member.learner for member in await links.admin.list())


async def test_taken_ports_and_a_group_that_is_left_are_said_in_one_sentence(tmp_path: Path) -> None:
    port = free_ports(3)
    async with Manager(settings(tmp_path / "one", init=True, etcd_port=port)):
        with pytest.raises(PortTaken, match="--etcd-port"):
            await Manager(settings(tmp_path / "two", init=True, etcd_port=port - 1)).start()
    with pytest.raises(CannotStart, match=str(port)):
        await Manager(settings(tmp_path / "one", etcd_port=port + 7)).start()
    path = tmp_path / "one" / "cluster.json"
    path.write_text(path.read_text().replace('"member"', '"left"'))
    with pytest.raises(NotInCluster, match="--join"):
        await Manager(settings(tmp_path / "one")).start()
