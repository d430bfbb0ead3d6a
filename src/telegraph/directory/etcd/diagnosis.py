"""Why nobody answers: gRPC says of a refused certificate only that the socket was closed, TLS itself says more."""

import asyncio
import os
import ssl
from collections.abc import Sequence
from typing import Final

from telegraph.directory.etcd.channels import EtcdTls

_WITHIN: Final = 0.3
"""Seconds that are spent on the question, after a call has failed."""


async def refusal(addresses: Sequence[str], tls: EtcdTls) -> str | None:
    """What one of the members, or we, have against the other's certificate; None if that is not what is wrong.

    Which member is left out: users of the API read this, and where etcd listens is not theirs to know.
    """
    found = await asyncio.gather(*(_ask(address, tls) for address in addresses))
    return next((said for said in found if said), None)


async def _ask(address: str, tls: EtcdTls) -> str | None:
    host, _, port = address.rpartition(":")
    writer = None
    try:
        async with asyncio.timeout(_WITHIN):
            reader, writer = await asyncio.open_connection(
                host.strip("[]"), int(port), ssl=_context(tls), server_hostname=tls.server_name or host.strip("[]")
            )
            await reader.read(1)  # in TLS 1.3 a refused client certificate shows only now, after the handshake
    except ssl.SSLError as error:
        return (error.reason or str(error)).replace("_", " ").lower()
    except (OSError, TimeoutError):
        return None
    finally:
        if writer is not None:
            writer.close()
    return None


def _context(tls: EtcdTls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=tls.ca.decode("ascii"))
    context.set_alpn_protocols(["h2"])
    descriptor = os.memfd_create("telegraph-etcd")  # Python's ssl reads keys from files only; this one has no name
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(tls.key + b"\n" + tls.certificate)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context
