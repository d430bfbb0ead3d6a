"""Which site a group is: settled once."""

import socket
from pathlib import Path
from typing import Any

import pytest

from telegraph.directory import records
from telegraph.directory.cluster_records import OWN_SITE
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Delete, Put
from telegraph.directory.records import Site
from telegraph.errors import CannotStart
from telegraph.manager.clock import read_clock
from telegraph.manager.cluster.own_site import settle_site
from telegraph.manager.cluster.place import Place
from telegraph.manager.settings import ClusterSettings, ManagerSettings


def place(site: str = "", **cluster: Any) -> Place:
    settings = ManagerSettings(data=Path("data"), site=site, cluster=ClusterSettings(**cluster))
    with socket.socket() as unused:
        return Place(settings, "m1", "https://m", "m", "m", unused, read_clock)


async def test_a_new_group_is_called_as_it_was_told_or_main(directory: MemoryDirectory) -> None:
    lima = await settle_site(place("lima"), directory)
    assert (lima.name, lima.joined) == ("lima", True)
    assert (await settle_site(place(), MemoryDirectory())).name == "main"


async def test_it_stays_what_it_is_and_another_name_is_refused(directory: MemoryDirectory) -> None:
    lima = await settle_site(place("lima"), directory)
    assert await settle_site(place(), directory) == lima
    assert await settle_site(place("lima", join_site="https://other"), directory) == lima
    with pytest.raises(CannotStart, match="the site lima"):
        await settle_site(place("cusco"), directory)


async def test_a_site_that_is_to_join_others_has_not_joined_yet(directory: MemoryDirectory) -> None:
    assert not (await settle_site(place("cusco", join_site="https://other"), directory)).joined
    assert not (await settle_site(place("cusco"), directory)).joined  # also after a start that was broken off


async def test_managers_that_begin_together_settle_on_one_id(directory: MemoryDirectory) -> None:
    assert await settle_site(place("lima"), directory) == await settle_site(place("lima"), directory)


async def test_a_directory_that_was_put_back_is_the_same_site_again(directory: MemoryDirectory) -> None:
    lima = await settle_site(place("lima"), directory)
    known = Site("lima", id=lima.id, version=7)
    await directory.commit([], [Put(records.site_key("lima"), records.encode(known)), Delete(OWN_SITE)])
    assert await settle_site(place("lima"), directory) == lima
