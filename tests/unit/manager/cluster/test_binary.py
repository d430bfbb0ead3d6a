"""Which etcd is good enough."""

from pathlib import Path

import pytest

from telegraph.errors import EtcdMissing, EtcdTooOld
from telegraph.manager.cluster.binary import check_version, find_etcd


@pytest.mark.parametrize("version", ["3.4.0", "3.4.23", "3.5.21", "3.10.0-rc.1", "4.0.0"])
def test_versions_from_3_4_on_are_taken(version: str) -> None:
    assert check_version(f"etcd Version: {version}\nGit SHA: x\n") == version


@pytest.mark.parametrize("version", ["2.3.8", "3.3.25"])
def test_older_ones_have_no_learners(version: str) -> None:
    with pytest.raises(EtcdTooOld, match=version):
        check_version(f"etcd Version: {version}\n")


def test_what_is_no_etcd_is_none() -> None:
    with pytest.raises(EtcdMissing, match="apt install etcd-server"):
        check_version("hello\n")


async def test_without_etcd_on_the_path_the_sentence_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EtcdMissing, match="apt install etcd-server"):
        await find_etcd()
