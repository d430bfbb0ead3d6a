import subprocess
import sys

from telegraph.peer.port import Call, Link, Reply
from telegraph.protocol.addresses import Address
from telegraph.testing.certificates import Organisation
from telegraph.testing.clock import FakeClock
from telegraph.testing.network import MemoryNetwork


def test_loading_the_plugin_loads_nothing_heavy() -> None:
    heavy = "{'aiohttp', 'litestar', 'cryptography', 'telegraph.manager', 'telegraph.node', 'telegraph.peer'}"
    script = f"import sys, pytest, telegraph.testing.plugin; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


async def test_the_network_of_the_fixtures_runs_on_the_clock_of_the_fixtures(
    memory_network: MemoryNetwork, fake_clock: FakeClock, organisation: Organisation
) -> None:
    alice, bob = organisation.device("alice"), organisation.device("bob")
    here, there = Address("alice.test", 1), Address("bob.test", 1)

    async def echo(link: Link) -> None:
        await link.send(await link.receive())

    async def refuse(_: Call) -> Reply:
        return Reply(404, b"{}")

    dialler, endpoint = memory_network.endpoint(here, alice.holder), memory_network.endpoint(there, bob.holder)
    await endpoint.serve(echo, refuse)
    link = await dialler.dial(there, bob.key.public)
    memory_network.delay(1)
    await link.send(b"hello")
    await fake_clock.advance(1.9)
    assert memory_network.counters.delivered == 1
    await fake_clock.advance(0.1)
    assert await link.receive() == b"hello"
