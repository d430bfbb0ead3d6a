"""Managers that are started together, unattended, form one group; the etcd that each of them looks after."""

import json
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from telegraph.testing.groups import READY, free_ports
from telegraph.testing.processes import RunningProcess, telegraph

HOSTS = [f"127.0.0.{number}" for number in (2, 3, 4, 5)]


def found(folder: Path) -> Path:
    """An organisation's secret file."""
    made = telegraph("manager", "new-org", "--out", folder)
    assert made.code == 0, made.err
    return folder / "organisation.json"


class Together:
    """Managers on addresses of their own and the same ports, as containers would be."""

    def __init__(self, root: Path) -> None:
        self.root, self.port = root, free_ports(4)
        self.secrets = found(root / "organisation")
        self.running: dict[int, RunningProcess] = {}

    def start(self, number: int, *options: str) -> None:
        peers = [word for host in HOSTS for word in ("--peers-dns", host)]
        self.running[number] = RunningProcess(
            *("manager", "run", "--data", str(self.root / str(number)), "--host", HOSTS[number]),
            *("--port", str(self.port), "--udp-port", "0", "--bcrypt-cost", "4", "--etcd-port", str(self.port + 1)),
            *("--org-file", str(self.secrets), *(options or ("--bootstrap-expect", "3", *peers))),
            ready=READY,
            env={"TELEGRAPH_TESTING": "1"},
        )

    def start_all(self, numbers: list[int]) -> None:
        threads = [threading.Thread(target=self.start, args=(number,)) for number in numbers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(numbers) <= set(self.running), "a manager did not start"

    def status(self, number: int) -> Any:
        shown = telegraph("manager", "status", "--data", self.root / str(number), "--format", "json")
        assert shown.code == 0, shown.err
        return shown.json

    def close(self) -> None:
        for process in self.running.values():
            process.process.kill()
        while self.running:
            self.running.popitem()[1].kill()


@pytest.mark.timeout(120)
def test_managers_that_start_in_any_order_form_one_group_and_one_too_many_joins_it(tmp_path: Path) -> None:
    order = random.Random().sample(range(4), 4)
    together = Together(tmp_path)
    try:
        together.start_all(order)
        shown = [together.status(number) for number in order]
        assert [len(each["members"]) for each in shown] == [4] * 4
        assert len({each["state_hash"] for each in shown}) == 1
        assert {each["raft_leader"] for each in shown} <= {f"https://{host}:{together.port}" for host in HOSTS}
        decided = [json.loads(path.read_text())["decided"] for path in tmp_path.glob("[0-3]/formation.json")]
        assert all(each == decided[0] for each in decided)
        together.close()
        together.start_all(order)  # the options of the first start do no harm at the next
        assert len(together.status(order[0])["members"]) == 4
    finally:
        together.close()


@pytest.mark.timeout(120)
def test_a_site_whose_managers_are_early_waits_for_the_other_one_and_then_joins_it(tmp_path: Path) -> None:
    together = Together(tmp_path)
    peers = [word for host in HOSTS[1:3] for word in ("--peers-dns", host)]
    joining = (
        "--site",
        "cusco",
        "--bootstrap-expect",
        "2",
        *peers,
        "--join-site",
        f"https://{HOSTS[0]}:{together.port}",
    )
    threads = [threading.Thread(target=together.start, args=(number, *joining)) for number in (1, 2)]
    try:
        for thread in threads:
            thread.start()
        together.start(0, "--site", "lima", "--cluster-init")
        for thread in threads:
            thread.join()
        shown = telegraph("manager", "sites", "--data", tmp_path / "0", "--format", "json")
        assert [(site["site"], len(site["managers"]) > 0) for site in shown.json["others"]] == [("cusco", True)]
        assert [together.status(number)["site"] for number in range(3)] == ["lima", "cusco", "cusco"]
        assert {together.status(number)["state_hash"] for number in range(3)} == {shown.json["state_hash"]}
    finally:
        together.close()
