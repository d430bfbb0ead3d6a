"""``telegraph doctor`` on real processes: it names what is wrong, as the page's calls do."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from telegraph.manager.notify import Notifier
from telegraph.node.manager_client import ManagerClient
from telegraph.peer.credentials import Credentials, server_context
from telegraph.protocol.addresses import Address
from telegraph.testing.certificates import Organisation
from telegraph.testing.processes import Finished, RealTelegraph


def found(said: Finished) -> dict[str, Any]:
    """The findings by their cause."""
    return {one["cause"]: one for one in said.json["findings"]}


def test_the_doctor_names_what_is_wrong_and_exits_by_it(org: RealTelegraph) -> None:
    org.join("alice")
    org.join("bob")
    org.ask("alice", "send", "bob", "hello")
    org.eventually(lambda: org.states("alice", "bob") == ["delivered"])
    well = org.say("alice", "doctor")
    assert well.code == 0, well.out
    assert {"session_open", "managers_work", "clock_right", "certificate_valid", "port_reached"} <= found(well).keys()
    assert {"disk_roomy", "disk_low"} & found(well).keys()
    assert {"store_whole", "nothing_waits"} <= found(well).keys()

    org.nodes["bob"].stop()
    org.ask("alice", "send", "bob", "are you there?")
    org.eventually(lambda: "offline" in found(org.say("alice", "doctor")))
    away = org.say("alice", "doctor")
    assert (away.code, found(away)["offline"]["subject"], found(away)["offline"]["count"]) == (0, "bob", 1)
    reach = org.get("alice", "/people/bob/reach")
    assert reach["cause"] == "offline"
    assert org.get("alice", "/doctor")["well"]

    org.manager.kill()
    org.eventually(lambda: org.say("alice", "doctor").code == 1)
    lost = found(org.say("alice", "doctor"))
    assert lost["no_manager"]["level"] == "problem"
    assert lost["manager_away"]["subject"] == org.url
    assert "port_unchecked" in lost

    org.nodes["alice"].kill()
    gone = org.say("alice", "doctor")
    assert (gone.code, list(found(gone))) == (1, ["node_away"])


async def test_a_manager_of_others_is_told_from_one_that_is_away(org: RealTelegraph) -> None:
    ours = ManagerClient((org.root / "manager" / "ca.pem").read_text())
    others = ManagerClient(Organisation().ca.pem)
    try:
        examined = await ours.examine(org.url)
        assert (examined.problem, abs(examined.ahead or 0) < 5) == ("", True)
        assert (await others.examine(org.url)).problem == "manager_foreign"
        assert (await ours.examine("https://127.0.0.1:9")).problem == "manager_away"
    finally:
        await ours.close()
        await others.close()


async def serving(credentials: Credentials) -> tuple[asyncio.Server, Address]:
    """Somebody who shows a certificate and says nothing."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=server_context(credentials))
    return server, Address("127.0.0.1", server.sockets[0].getsockname()[1])


async def test_a_manager_whose_certificate_ran_out_by_this_clock_is_told_from_a_foreign_one() -> None:
    ca = Organisation().ca
    long_ago = datetime.now(UTC) - timedelta(days=40)
    certificate, key = ca.issue_manager("m1", ["127.0.0.1"], long_ago, timedelta(days=30))
    server, address = await serving(Credentials(certificate, key, ca.pem))
    client = ManagerClient(ca.pem)
    async with server:
        assert (await client.examine(f"https://{address}")).problem == "manager_dates"
    await client.close()


async def test_a_manager_reaches_a_user_only_where_a_device_of_theirs_answers() -> None:
    organisation = Organisation()
    manager = Notifier(organisation.manager())
    server, address = await serving(organisation.device("alice").credentials)
    async with server:
        assert await manager.reaches(address, "id-alice")
        assert not await manager.reaches(address, "id-bob")
    assert not await manager.reaches(address, "id-alice")
    await manager.close()
