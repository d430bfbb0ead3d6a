"""Which CA this node trusts: read from a file, checked against a fingerprint, or asked of the user on first use."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import aiohttp
from cryptography import x509

from telegraph.errors import CaMismatch, CaUnknown, CaUnreadable, ManagerAway
from telegraph.protocol.identity import fingerprint
from telegraph.rest.client import read_answer

_TIMEOUT = aiohttp.ClientTimeout(total=4, sock_connect=2)
_MAX_PEM = 64 * 1024

Ask = Callable[[str, str], bool]
"""Asks the user whether to trust the CA at (url, fingerprint); runs in a thread, so it may block."""


def read_ca(path: Path) -> str:
    """The CA certificate in a PEM file.

    Raises:
        CaUnreadable: with why.
    """
    try:
        pem = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as problem:
        raise CaUnreadable(path=path, detail=getattr(problem, "strerror", None) or "it is not PEM") from problem
    try:
        ca_fingerprint(pem)
    except ValueError as problem:
        raise CaUnreadable(path=path, detail="it holds no certificate in PEM") from problem
    return pem


def ca_fingerprint(pem: str) -> str:
    """SHA-256 of the certificate, hex.

    Raises:
        ValueError: it is no certificate.
    """
    return fingerprint(x509.load_pem_x509_certificate(pem.encode()))


async def fetch_ca(url: str) -> str:
    """The CA certificate that a manager shows, not verified: its fingerprint must be checked before it is used.

    Raises:
        ManagerAway: nobody answers, or not with a certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(url + "/ca", ssl=context) as response,
        ):
            pem = (await read_answer(response, _MAX_PEM)).decode("ascii")
        ca_fingerprint(pem)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as problem:
        raise ManagerAway from problem
    return pem


async def trust_ca(url: str, pem: str, expected: str | None, ask: Ask | None) -> None:
    """Returns if the CA may be trusted: its fingerprint is the expected one, or the user says so.

    Raises:
        CaMismatch: another fingerprint was expected.
        CaUnknown: none was expected and nobody can be asked, or the user says no.
    """
    shown = ca_fingerprint(pem)
    if expected is not None:
        if shown != expected:
            raise CaMismatch(url=url, fingerprint=shown)
        return
    if ask is None or not await asyncio.to_thread(ask, url, shown):
        raise CaUnknown(url=url, fingerprint=shown)
