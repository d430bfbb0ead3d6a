"""A throw-away organisation: a CA, devices of alice, bob and whoever else, managers."""

from datetime import UTC, datetime, timedelta

import msgspec

from telegraph.manager.ca import CertificateAuthority
from telegraph.node.keys import DeviceKey
from telegraph.peer.credentials import Credentials
from telegraph.protocol.identity import Holder

_DAY = timedelta(days=1)


class Device(msgspec.Struct, frozen=True):
    """A user's device as its CA certified it; ``user_id`` is ``id-<name>``."""

    user_id: str
    key: DeviceKey
    credentials: Credentials

    @property
    def holder(self) -> Holder:
        """What others read out of its certificate."""
        return Holder("user", self.user_id, self.key.public)


class Organisation:
    """An organisation with a CA of its own, made now and for nothing but tests."""

    def __init__(self, name: str = "Testing") -> None:
        self.ca = CertificateAuthority.create(name, datetime.now(UTC))

    def device(self, name: str, *, key: DeviceKey | None = None, expired: bool = False) -> Device:
        """A device of the user called ``name``, new or with a given key; its certificate may have run out."""
        key = key or DeviceKey.create()
        now = datetime.now(UTC) - (2 * _DAY if expired else timedelta())
        certificate = self.ca.sign_device(key.csr(), f"id-{name}", now, _DAY)
        return Device(f"id-{name}", key, Credentials(certificate, key.private_pem, self.ca.pem))

    def manager(self, manager_id: str = "m1", *hosts: str) -> Credentials:
        """A manager's certificate and key, for loopback and further hosts."""
        hosts = ("127.0.0.1", "localhost", *hosts)
        certificate, key = self.ca.issue_manager(manager_id, hosts, datetime.now(UTC), _DAY)
        return Credentials(certificate, key, self.ca.pem)
