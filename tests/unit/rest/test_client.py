import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.errors import ManagerAway
from telegraph.manager.ca import CertificateAuthority
from telegraph.rest.client import manager_context, read_answer


def _answer(*pieces: bytes) -> Any:
    async def arrive() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return SimpleNamespace(content=SimpleNamespace(iter_any=arrive))


@given(st.lists(st.binary(max_size=20)))
async def test_an_answer_is_whole_however_the_network_cut_it(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    assert await read_answer(_answer(*pieces), len(whole)) == whole


async def test_an_answer_that_no_manager_gives_is_not_read_to_its_end() -> None:
    with pytest.raises(ManagerAway):
        await read_answer(_answer(b"12345", b"6"), 5)


def test_only_managers_of_one_ca_are_accepted_by_name_and_over_tls_1_3() -> None:
    ca = CertificateAuthority.create("Us", datetime.now(UTC))
    context = manager_context(ca.pem)
    assert context.get_ca_certs(binary_form=True) == [ssl.PEM_cert_to_DER_cert(ca.pem)]
    assert context.check_hostname
    assert (context.verify_mode, context.minimum_version) == (ssl.CERT_REQUIRED, ssl.TLSVersion.TLSv1_3)
