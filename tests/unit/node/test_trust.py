from pathlib import Path

import pytest

from telegraph.errors import CaMismatch, CaUnknown, CaUnreadable
from telegraph.node.trust import ca_fingerprint, read_ca, trust_ca
from telegraph.testing.certificates import Organisation

URL = "https://manager.example:8000"


@pytest.fixture(scope="module")
def pem() -> str:
    return Organisation().ca.pem


def test_a_ca_file_is_read(pem: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(pem)

    assert read_ca(file) == pem


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\n!!\n"])
def test_a_file_that_holds_no_certificate_is_told_with_its_path(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(content)

    with pytest.raises(CaUnreadable, match=r"ca\.pem"):
        read_ca(file)


def test_a_file_that_is_not_there_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(CaUnreadable, match="No such file"):
        read_ca(tmp_path / "ca.pem")


async def test_a_ca_with_the_expected_fingerprint_is_trusted_without_a_question(pem: str) -> None:
    await trust_ca(URL, pem, ca_fingerprint(pem), None)


async def test_a_ca_with_another_fingerprint_is_refused_even_if_the_user_would_say_yes(pem: str) -> None:
    with pytest.raises(CaMismatch):
        await trust_ca(URL, pem, "ab" * 32, lambda *_: True)


async def test_an_unknown_ca_is_trusted_only_if_somebody_says_so(pem: str) -> None:
    asked: list[tuple[str, str]] = []

    def ask(url: str, fingerprint: str) -> bool:
        asked.append((url, fingerprint))
        return len(asked) > 1

    with pytest.raises(CaUnknown, match=ca_fingerprint(pem)):
        await trust_ca(URL, pem, None, None)
    with pytest.raises(CaUnknown):
        await trust_ca(URL, pem, None, ask)
    await trust_ca(URL, pem, None, ask)

    assert asked == [(URL, ca_fingerprint(pem))] * 2
