"""A new site comes to an organisation: whole, or not at all, whatever is broken off."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from telegraph.directory import cluster_records, records
from telegraph.directory.cluster_records import OwnSite, decode
from telegraph.directory.port import Delete, Directory, Put
from telegraph.errors import CaMismatch, CannotJoin, CannotStart, ManagerAway, WrongToken
from telegraph.manager.app import Manager
from telegraph.manager.cluster import beginning
from telegraph.manager.cluster.beside import group_beside
from telegraph.manager.cluster.organisation import load_etcd_authority
from telegraph.manager.cluster.secret import ClusterSecret
from telegraph.manager.cluster.vault import load_token
from telegraph.manager.settings import ClusterSettings, ManagerSettings
from telegraph.manager.sites import entering
from telegraph.testing.groups import free_ports

pytestmark = pytest.mark.timeout(90)


class BrokenOff(Exception):
    """The crash."""


def settings(data: Path, site: str = "", **cluster: Any) -> ManagerSettings:
    return ManagerSettings(data=data, port=0, udp_port=0, site=site, cluster=ClusterSettings(**cluster))


def first_of(data: Path, **more: Any) -> ManagerSettings:
    return settings(data, "lima", init=True, etcd_port=free_ports(3), **more)


async def break_off(patch: pytest.MonkeyPatch, chosen: ManagerSettings, module: Any, where: str) -> None:
    """The newcomer crashes at a certain point."""

    async def crash(*_: object) -> None:
        raise BrokenOff

    with patch.context() as broken:
        broken.setattr(module, where, crash)
        with pytest.raises(BrokenOff):
            await Manager(chosen).start()


async def token_of(data: Path) -> str:
    async with group_beside(data) as links:
        return (await load_token(links.directory, ClusterSecret.load(data))).text


async def at(data: Path, what: Callable[[Directory], Any]) -> Any:
    """Something with a site's directory."""
    async with group_beside(data) as links:
        return await what(links.directory)


async def shared(directory: Directory) -> dict[str, bytes]:
    """What both sites are to have."""
    entries = (await directory.scan("")).entries
    return {entry.key: entry.value for entry in entries if entry.key.startswith(("account/", "name/", "site/cusco"))}


async def own_site(directory: Directory) -> OwnSite:
    entry = await directory.get(cluster_records.OWN_SITE)
    assert entry is not None
    return decode(entry.value, OwnSite)


async def test_a_start_that_was_broken_off_anywhere_goes_on_with_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lima, cusco = tmp_path / "lima", tmp_path / "cusco"
    async with Manager(first_of(lima)) as first:
        await at(lima, lambda directory: directory.commit([], [Put("account/a", b"1"), Put("name/a", b"1")]))
        joining = {"join_site": first.url, "token": await token_of(lima), "etcd_port": free_ports(3)}
        second = settings(cusco, "cusco", init=True, **joining)
        await break_off(monkeypatch, second, beginning, "settle_site")
        await break_off(monkeypatch, second, entering, "_copy")  # from here on lima knows it
        with pytest.raises(CannotStart, match="--join-site"):
            await Manager(settings(cusco)).start()
        await break_off(monkeypatch, second, entering, "put_own_site")  # all is copied, and nothing says so
        assert not (await at_rest(monkeypatch, second)).joined
        await at(lima, lambda directory: directory.commit([], [Delete("name/a"), Put("account/b", b"2")]))
        async with Manager(second):
            assert (await at(cusco, own_site)).joined
            assert {"account/a": b"1", "account/b": b"2"}.items() <= (await at(cusco, shared)).items()
            assert "name/a" not in await at(cusco, shared)
            assert (await at(lima, lambda directory: directory.get(records.SEVERAL))) is not None
            assert load_etcd_authority(lima).pem != load_etcd_authority(cusco).pem
            assert await token_of(cusco) != joining["token"]
            assert (cusco / "ca.pem").read_text() == (lima / "ca.pem").read_text()
    async with Manager(settings(cusco)):  # from now on without being told, and with lima away
        assert (await at(cusco, own_site)).joined


async def at_rest(patch: pytest.MonkeyPatch, chosen: ManagerSettings) -> OwnSite:
    """What a site that has not joined says of itself: seen on its way."""
    found: list[OwnSite] = []

    async def look(_place: object, directory: Directory, *_: object) -> None:
        found.append(await own_site(directory))
        raise BrokenOff

    with patch.context() as broken:
        broken.setattr(entering, "enter", look)
        with pytest.raises(BrokenOff):
            await Manager(chosen).start()
    return found[0]


async def test_whoever_may_not_join_is_told_why_and_nothing_has_changed(tmp_path: Path) -> None:
    lima, cusco = tmp_path / "lima", tmp_path / "cusco"
    async with Manager(first_of(lima)) as first:
        good = await token_of(lima)
        begin, ca, _secret = good.split(".")
        port = free_ports(3)

        async def refused(kind: type[Exception], data: Path, token: str, url: str = first.url) -> None:
            with pytest.raises(kind):
                await Manager(settings(data, "cusco", init=True, join_site=url, token=token, etcd_port=port)).start()

        await refused(WrongToken, cusco, ".".join([begin, ca, "x" * 43]))
        await refused(CaMismatch, cusco, ".".join([begin, "0" * 64, "x" * 43]))
        await refused(ManagerAway, cusco, good, f"https://127.0.0.1:{port}")
        async with Manager(settings(tmp_path / "single")):
            pass
        await refused(CannotJoin, tmp_path / "single", good)
        assert not (cusco / "ca.pem").exists()
        assert not any(await at(lima, shared))
