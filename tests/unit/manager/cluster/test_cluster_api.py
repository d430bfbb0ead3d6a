"""What a manager tells newcomers: all it takes to be a manager, but only to those who were invited."""

import dataclasses
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from telegraph.directory import cluster_records, records
from telegraph.directory.cluster_records import ManagerRecord, OwnSite
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Put
from telegraph.directory.records import Site, encode
from telegraph.manager.api.application import Application
from telegraph.manager.clock import read_clock
from telegraph.manager.cluster.command import Member
from telegraph.manager.cluster.doorkeeper import WRONG_TOKENS_PER_MINUTE, Doorkeeper
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
from telegraph.manager.requests import request_for
from telegraph.manager.settings import ManagerSettings
from telegraph.node.keys import DeviceKey
from telegraph.protocol.cluster_api import JoinAnswer, SiteAnswer
from telegraph.protocol.identity import holder_of

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
        yield Group(place, running, directory, organisation.cluster_secret, members, Doorkeeper(read_clock))


@pytest.fixture
async def web(core: Core, group: Group) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Application(dataclasses.replace(core, group=group)))
    async with httpx.AsyncClient(transport=transport, base_url="https://m") as client:
        yield client


KEY = ec.generate_private_key(ec.SECP256R1())
ETCD_KEY = ec.generate_private_key(ec.SECP256R1())


def question(secret: str, **other: str) -> dict[str, str]:
    asked = {
        "secret": secret,
        "manager_id": "m2",
        "url": "https://10.0.0.2:8000",
        "csr": request_for(KEY, ["10.0.0.2", "two.example"]),
        "etcd_csr": request_for(ETCD_KEY, ["10.0.0.2"]),
    }
    return {**asked, **other}


async def test_whoever_was_invited_gets_all_it_takes(web: httpx.AsyncClient, organisation: Organisation) -> None:
    answer = await web.post("/cluster/join", json=question(organisation.join_secret))
    told = msgspec.json.decode(answer.content, type=JoinAnswer)
    assert (answer.status_code, told.status, told.message) == (200, 200, "Bienvenido al grupo")
    assert (told.ca, told.cluster_secret) == (organisation.ca, organisation.secret)
    assert told.etcd == ["https://10.0.0.1:2379"]
    assert b"PRIVATE KEY" not in answer.content
    assert told.cluster_secret not in repr(told)


async def test_a_newcomer_s_requests_are_signed_by_both_authorities(
    web: httpx.AsyncClient, organisation: Organisation
) -> None:
    answer = await web.post("/cluster/join", json=question(organisation.join_secret))
    told = msgspec.json.decode(answer.content, type=JoinAnswer)
    for pem, key, root in (
        (told.certificate, KEY, organisation.ca),
        (told.etcd_certificate, ETCD_KEY, organisation.etcd_ca),
    ):
        leaf = x509.load_pem_x509_certificate(pem.encode())
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(root.encode()))
        assert leaf.public_key() == key.public_key()
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert "10.0.0.2" in [str(ip) for ip in names.get_values_for_type(x509.IPAddress)]
    der = x509.load_pem_x509_certificate(told.certificate.encode()).public_bytes(Encoding.DER)
    assert (holder_of(der).role, holder_of(der).id) == ("manager", "m2")


async def test_what_cannot_be_signed_is_refused_in_one_sentence(
    web: httpx.AsyncClient, organisation: Organisation
) -> None:
    device = DeviceKey.create().csr()
    for name in ("csr", "etcd_csr"):
        for wrong in ("", "nothing", device):
            refused = await web.post("/cluster/join", json=question(organisation.join_secret, **{name: wrong}))
            assert (refused.status_code, refused.json()["error"]) == (400, "illegal_csr")
    refused = await web.post("/cluster/join", json=question(organisation.join_secret, manager_id="m2, user:alice"))
    assert (refused.status_code, refused.json()["error"]) == (400, "malformed_body")
    refused = await web.post("/cluster/join", json=question("guess", csr="nothing"))
    assert refused.json()["error"] == "wrong_token"  # who was not invited learns nothing


async def test_whoever_guesses_is_soon_not_listened_to_wherever_they_ask(
    web: httpx.AsyncClient, organisation: Organisation
) -> None:
    right = question(organisation.join_secret)
    for _ in range(WRONG_TOKENS_PER_MINUTE // 2):
        assert (await web.post("/cluster/join", json=right)).status_code == 200  # right ones do not count
        assert (await web.post("/cluster/join", json=question("guess"))).status_code == 401
        assert (await web.post("/cluster/formation", json={"secret": "guess"})).status_code == 401
    site = {"secret": organisation.join_secret, "site": "north", "manager_id": "m9"}
    formation = {"secret": organisation.join_secret}
    for path, body in (("/cluster/join", right), ("/cluster/formation", formation), ("/cluster/site", site)):
        refused = await web.post(path, json=body)
        assert (refused.status_code, refused.json()["error"]) == (429, "too_many_joins")
        assert 0 < int(refused.headers["retry-after"]) <= 60


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


# --- another site ---


async def put(directory: MemoryDirectory, key: str, record: object) -> None:
    await directory.commit([], [Put(key, encode(record))])


async def test_another_site_gets_the_organisation_and_not_this_one_s_etcd(
    web: httpx.AsyncClient, directory: MemoryDirectory, organisation: Organisation
) -> None:
    await put(directory, cluster_records.OWN_SITE, OwnSite("lima", "one"))
    asked = {"secret": organisation.join_secret, "site": "cusco", "manager_id": "m9"}
    answer = await web.post("/cluster/site", json=asked)
    told = msgspec.json.decode(answer.content, type=SiteAnswer)
    assert (answer.status_code, told.site, told.exchange) == (200, "lima", ["https://10.0.0.1:2381"])
    assert (told.ca, told.cluster_secret) == (organisation.ca, organisation.secret)
    assert organisation.etcd_ca.encode() not in answer.content
    assert told.cluster_secret not in repr(told)


@pytest.mark.parametrize(
    ("site", "other", "status", "code"),
    [
        ("lima", {}, 409, "site_taken"),
        ("cusco", {}, 409, "site_taken"),
        ("cusco", {"site_id": "three"}, 409, "site_taken"),
        ("Puno", {}, 400, "illegal_site"),
        ("puno", {"secret": "guess"}, 401, "wrong_token"),
        ("cusco", {"secret": "guess"}, 401, "wrong_token"),
    ],
)
async def test_another_site_needs_a_token_and_a_name_of_its_own(
    web: httpx.AsyncClient,
    directory: MemoryDirectory,
    organisation: Organisation,
    site: str,
    other: dict[str, str],
    status: int,
    code: str,
) -> None:
    await put(directory, cluster_records.OWN_SITE, OwnSite("lima", "one"))
    await put(directory, records.site_key("cusco"), Site("cusco", id="two"))
    asked = {"secret": organisation.join_secret, "site": site, "manager_id": "m9", **other}
    refused = await web.post("/cluster/site", json=asked)
    assert (refused.status_code, refused.json()["error"]) == (status, code)


async def test_a_site_that_asks_again_is_known_by_its_id(
    web: httpx.AsyncClient, directory: MemoryDirectory, organisation: Organisation
) -> None:
    await put(directory, records.site_key("cusco"), Site("cusco", id="two"))
    asked = {"secret": organisation.join_secret, "site": "cusco", "manager_id": "m9", "site_id": "two"}
    assert (await web.post("/cluster/site", json=asked)).status_code == 200
