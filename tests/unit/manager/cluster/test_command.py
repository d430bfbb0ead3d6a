"""What etcd is started with."""

from pathlib import Path

import pytest

from telegraph.directory.etcd import directory
from telegraph.manager.cluster.command import MAX_TXN_OPS, Member, arguments, environment
from telegraph.manager.cluster.process import read_line

MEMBER = Member(Path("/data"), "one", "192.168.1.10", "host.example", 2379)


def option(name: str, given: list[str]) -> str:
    return given[given.index(name) + 1]


def test_clients_and_members_are_only_served_with_a_certificate_of_etcds_ca() -> None:
    given = arguments(MEMBER, {"one": MEMBER.peer_url}, "new", "group")
    assert {"--client-cert-auth", "--peer-client-cert-auth"} <= set(given)
    for side in ("", "peer-"):
        assert option(f"--{side}trusted-ca-file", given) == "/data/etcd-ca.pem"
    urls = [word for word in given if "://" in word]
    assert urls
    assert all("http://" not in url for url in urls)


def test_it_listens_on_the_managers_address_and_is_called_by_its_name() -> None:
    given = arguments(MEMBER, {"two": "https://b:2380", "one": MEMBER.peer_url}, "existing", "group")
    assert option("--listen-client-urls", given) == "https://192.168.1.10:2379"
    assert option("--listen-peer-urls", given) == "https://192.168.1.10:2380"
    assert option("--advertise-client-urls", given) == "https://host.example:2379"
    assert option("--initial-cluster", given) == "one=https://host.example:2380,two=https://b:2380"
    assert option("--initial-cluster-state", given) == "existing"


@pytest.mark.parametrize(
    ("listen", "local"),
    [("0.0.0.0", "https://127.0.0.1:2379"), ("::", "https://127.0.0.1:2379"), ("::1", "https://[::1]:2379")],  # noqa: S104
)
def test_this_machine_reaches_it_on_loopback_if_it_listens_everywhere(listen: str, local: str) -> None:
    assert Member(Path("/data"), "one", listen, "host.example", 2379).local_url == local


def test_commits_of_the_directory_fit_into_its_transactions() -> None:
    assert MAX_TXN_OPS == directory.MAX_TXN_OPS


def test_nothing_that_etcd_would_take_for_a_setting_is_inherited() -> None:
    inherited = {"ETCD_NAME": "stray", "ETCDCTL_API": "3", "TELEGRAPH_JOIN_TOKEN": "secret", "PATH": "/bin"}
    assert environment(inherited, "@socket", "x86_64") == {"PATH": "/bin", "NOTIFY_SOCKET": "@socket"}
    assert environment({}, "@socket", "aarch64")["ETCD_UNSUPPORTED_ARCH"] == "arm64"


def test_its_log_lines_become_events_without_keys_and_values() -> None:
    line = b'{"level":"warn","ts":"now","msg":"slow","took":"1s","request":"put:<key:session/x>","error":"late"}\n'
    assert read_line(line) == ("warn", "slow", {"took": "1s", "error": "late"})
    assert read_line(b"panic: something\n") == ("warn", "panic: something", {})
    assert read_line(b"\n") is None
