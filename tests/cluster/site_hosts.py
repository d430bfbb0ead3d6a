"""Two sites on hosts of their own, one manager at each, people's nodes beside them, and the network between."""

import json
import subprocess
from pathlib import Path
from typing import Any

from telegraph.testing.hosts import Network
from telegraph.testing.processes import PASSWORD, PROGRAM, RunningProcess, start_node, telegraph
from telegraph.testing.site_groups import ManagerSites
from telegraph.testing.switch import Line

NAMES = ("lima", "cusco")
HEALED_WITHIN = 10.0


class Sites(ManagerSites):
    """One manager at each site; whoever joins is on the host of a site."""

    def __init__(self, root: Path, network: Network) -> None:
        self.network, self.root = network, root
        self.nodes: dict[str, RunningProcess] = {}
        self.at: dict[str, str] = {}
        super().__init__(
            root,
            *NAMES,
            host=lambda site, _number: network[NAMES[site]].address,
            program=lambda site, _number: (*network[NAMES[site]].enter, *PROGRAM),
        )

    def call(self, site: str, path: str, **body: object) -> tuple[int, dict[str, Any]]:
        """One POST to a site's manager from its own host: status and body."""
        quietly = ("-sk", "-m", "10", "-w", "\n%{http_code}", "-H", "Content-Type: application/json")
        done = subprocess.run(
            [*self.network[site].enter, "curl", *quietly, "-d", json.dumps(body), self[site].urls[0] + path],
            check=False,
            capture_output=True,
            text=True,
        )
        answer, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(answer or "{}")

    def register(self, site: str, name: str, password: str = PASSWORD) -> dict[str, Any]:
        """Somebody registers at a site, which must succeed whatever the link does."""
        status, made = self.call(site, "/register", username=name, password=password, ip="127.0.0.1", port=9000)
        assert status == 201, made
        return made

    def join(self, name: str, site: str) -> None:
        """Starts somebody's node at a site, and makes their account."""
        host = self.network[site]
        self.at[name] = site
        self.nodes[name] = start_node(
            self.root / name,
            self[site].urls[0],
            self[site].ca,
            *("--host", host.address),
            program=(*host.enter, *PROGRAM),
        )
        self.ask(name, "register", name)

    def ask(self, name: str, *words: str) -> Any:
        """A command of somebody's, which must succeed: what it printed as JSON."""
        program = (*self.network[self.at[name]].enter, *PROGRAM)
        done = telegraph(*words, "--data", self.root / name, "--format", "json", password=PASSWORD, program=program)
        assert done.code == 0, done.err
        return done.json

    def states(self, name: str, other: str) -> list[str]:
        """The states of all messages of a conversation, in order."""
        return [message["state"] for message in self.ask(name, "history", other)]

    def cut(self, *, one_way: bool = False) -> None:
        """The link between the sites breaks."""
        self.network.set(*NAMES, Line(cut=True), one_way=one_way)

    def close(self) -> None:
        """Kills all."""
        for node in self.nodes.values():
            node.kill()
        super().close()
