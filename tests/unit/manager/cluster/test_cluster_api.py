"""What a manager tells newcomers: all it takes to be a manager, but only to those who were invited."""

import dataclasses
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from telegraph.directory.cluster_records import ManagerRecord
from telegraph.directory.memory import MemoryDirectory
from telegraph.manager.api.application import Application
from telegraph.manager.clock import read_clock
from telegraph.manager.cluster.command import Member
from telegraph.manager.cluster.formation import Candidate, FormationAnswer, Proposal, Standing
from telegraph.manager.cluster.gathering import STANDING_FILE
from telegraph.manager.cluster.group import Group
from telegraph.manager.cluster.members import Members, put_record
from telegraph.manager.cluster.organisation import Organisation
from telegraph.manager.cluster.place import Place
from telegraph.manager.cluster.process import EtcdProcess
from telegraph.manager.cluster.running import Running
from telegraph.manager.cluster.state import ClusterState, load_state, save_state
from telegraph.manager.cluster.vault import renew_token, store_organisation
from telegraph.manager.core import Core
from telegraph.manager.settings import ManagerSettings
from telegraph.protocol.cluster_api import JoinAnswer

URL = "https://10.0.0.1:8000"


@pytest.fixture
async def group(tmp_path: Path, directory: MemoryDirectory, organisation: Organisation) -> AsyncIterator[Group]:
    """A manager's part in a group, over a directory in memory."""
    with socket.socket() as listening:
        place = Place(ManagerSettings(data=tmp_path), "m1", URL, "10.0.0.1", "10.0.0.1", listening, read_clock)
        member = Member(tmp_path, "m1", "10.0.0.1", "10.0.0.1", 2379)
        running = Running(member, EtcdProcess(Path("/bin/false"), []), "3.4.23")
        members = Members(directory)
        await store_organisation(directory, organisation)
        await put_record(directory, place.record(member, "3.4.23"))
        await members.load()
        yield Group(place, running, directory, organisation.cluster_secret, members)


@pytest.fixture
async def web(core: Core, group: Group) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Application(dataclasses.replace(core, group=group)))
    async with httpx.AsyncClient(transport=transport, base_url="https://m") as client:
        yield client


def question(secret: str) -> dict[str, str]:
    return {"secret": secret, "manager_id": "m2", "url": "https://10.0.0.2:8000"}


async def test_whoever_was_invited_gets_all_it_takes(web: httpx.AsyncClient, organisation: Organisation) -> None:
    answer = await web.post("/cluster/join", json=question(organisation.join_secret))
    told = msgspec.json.decode(answer.content, type=JoinAnswer)
    assert (answer.status_code, told.status, told.message) == (200, 200, "Bienvenido al grupo")
    assert (told.ca, told.cluster_secret) == (organisation.ca, organisation.secret)
    assert told.etcd == ["https://10.0.0.1:2379"]
    assert b"PRIVATE KEY" not in answer.content
    assert told.cluster_secret not in repr(told)


async def test_nobody_else_gets_anything(
    web: httpx.AsyncClient, group: Group, directory: MemoryDirectory, organisation: Organisation
) -> None:
    for secret in ("", "guess", organisation.join_secret[:-1]):
        refused = await web.post("/cluster/join", json=question(secret))
        assert (refused.status_code, refused.json()["error"]) == (401, "wrong_token")
        refused = await web.post("/cluster/formation", json={"secret": secret})
        assert (refused.status_code, refused.json()["error"]) == (401, "wrong_token")
    await renew_token(directory, group.secret)
    assert (await web.post("/cluster/join", json=question(organisation.join_secret))).status_code == 401


async def test_a_single_manager_cannot_be_joined(core: Core) -> None:
    transport = httpx.ASGITransport(Application(core))
    async with httpx.AsyncClient(transport=transport, base_url="https://m") as web:
        for path in ("/cluster/join", "/cluster/formation"):
            refused = await web.post(path, json=question("any"))
            assert (refused.status_code, refused.json()["error"]) == (409, "no_cluster")


async def test_managers_that_want_to_form_a_group_hear_that_there_is_one(
    web: httpx.AsyncClient, group: Group, organisation: Organisation
) -> None:
    answer = await web.post("/cluster/formation", json={"secret": organisation.join_secret})
    standing = msgspec.json.decode(answer.content, type=FormationAnswer).standing
    me = Candidate("m1", URL, "https://10.0.0.1:2380")
    assert standing == Standing(me, decided=Proposal("m1", 0, (me,)))
    formed = Standing(me, 3, decided=Proposal("m1", 3, (me, Candidate("m2", "https://b", "https://b:2380"))))
    (group.place.data / STANDING_FILE).write_bytes(msgspec.json.encode(formed))
    answer = await web.post("/cluster/formation", json={"secret": organisation.join_secret})
    assert msgspec.json.decode(answer.content, type=FormationAnswer).standing == formed


def test_where_the_others_are_is_kept_for_the_next_start(group: Group) -> None:
    data = group.place.data
    state = ClusterState("member", "10.0.0.1", 2379, "https://127.0.0.1:2379")
    save_state(data, state)
    group.remember([ManagerRecord("m2", "https://b:8000", "main", "https://b:2379", "https://b:2380")])
    assert load_state(data) == msgspec.structs.replace(state, clients=("https://b:2379",))
    group.remember([])  # nothing is known for now, which is no reason to forget
    assert load_state(data) == msgspec.structs.replace(state, clients=("https://b:2379",))
