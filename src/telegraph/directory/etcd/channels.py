"""gRPC channels to etcd's members: mutual TLS, keep-alive, message size."""

import asyncio
import os
from typing import Any, Final

import msgspec

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its core writes lines of its own to stderr, also of addresses

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # who forks here, as to start etcd, becomes another program

import grpc
import grpc.aio
from grpc.aio import EOF as _EOF  # type: ignore[attr-defined] # missing in grpc-stubs

from telegraph.directory.etcd.calls import Answer, Call, Request

EOF: Final[object] = _EOF
"""What reading a stream gives at its end."""

MAX_MESSAGE: Final = 32 * 1024 * 1024
"""Bytes of one answer. etcd takes at most 1.5 MiB a request, but answers of any size."""

HAS_LEADER: Final = (("hasleader", "true"),)
"""Metadata with which a member that knows no leader refuses at once (etcd's WithRequireLeader)."""


class EtcdTls(msgspec.Struct, frozen=True):
    """What a manager shows and trusts, all PEM: the CA of etcd, a certificate and its key.

    ``server_name`` is a name that every member's certificate has, if they do not have their addresses.
    """

    ca: bytes
    certificate: bytes
    key: bytes
    server_name: str | None = None


class Channels:
    """One channel for each member, made at first use. Two of these objects never share a connection."""

    def __init__(self, tls: EtcdTls | None) -> None:
        """Without ``tls`` plain HTTP/2 is spoken, for tests on loopback."""
        self._tls = tls
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._calls: dict[tuple[str, str], Any] = {}

    def channel(self, address: str) -> grpc.aio.Channel:
        """The channel to a member."""
        known = self._channels.get(address)
        if known is None:
            known = self._channels[address] = _open(address, self._tls)
        return known

    def unary(self, address: str, call: Call[Request, Answer]) -> Any:
        """The callable of a call with one request and one answer."""
        key = (address, call.path)
        if key not in self._calls:
            self._calls[key] = self.channel(address).unary_unary(
                call.path,
                request_serializer=call.request.SerializeToString,
                response_deserializer=call.answer.FromString,
            )
        return self._calls[key]

    def stream(self, address: str, call: Call[Request, Answer]) -> Any:
        """The callable of a call with many requests and many answers."""
        return self.channel(address).stream_stream(
            call.path, request_serializer=call.request.SerializeToString, response_deserializer=call.answer.FromString
        )

    async def ready(self, address: str, within: float) -> bool:
        """Whether there is a connection, waiting for one if need be. Without one nothing can have been sent."""
        channel = self.channel(address)
        state = channel.get_state(try_to_connect=True)
        if state is grpc.ChannelConnectivity.READY:
            return True
        try:
            async with asyncio.timeout(within):
                while state not in {grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE}:
                    await channel.wait_for_state_change(state)
                    state = channel.get_state(try_to_connect=True)
        except (TimeoutError, grpc.aio.UsageError):  # too late, or the channel was closed meanwhile
            return False
        return True  # in a failure the call itself says why, and sends nothing

    async def drop(self, address: str) -> None:
        """Closes the channel to a member that is none any more."""
        self._calls = {key: made for key, made in self._calls.items() if key[0] != address}
        channel = self._channels.pop(address, None)
        if channel is not None:
            await channel.close(None)

    async def close(self) -> None:
        """Closes all."""
        for address in list(self._channels):
            await self.drop(address)


def _open(address: str, tls: EtcdTls | None) -> grpc.aio.Channel:
    options: list[tuple[str, Any]] = [
        ("grpc.use_local_subchannel_pool", 1),  # else channels to the same address share one connection
        ("grpc.max_receive_message_length", MAX_MESSAGE),
        # etcd closes connections that ping more often than every 5 s, or without a call; calls have deadlines of their
        # own and watches a pulse, so this is only the last resort
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 3_000),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 500),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        ("grpc.enable_http_proxy", 0),
        ("grpc.enable_retries", 0),  # what is tried again is decided in client.py
    ]
    if tls is None:
        return grpc.aio.insecure_channel(address, options=options)
    if tls.server_name is not None:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    credentials = grpc.ssl_channel_credentials(tls.ca, tls.key, tls.certificate)
    return grpc.aio.secure_channel(address, credentials, options=options)
