"""Real etcd members on loopback, with certificates of a CA of their own; for tests of what stores things in etcd."""

import signal
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from telegraph.directory.etcd.channels import EtcdTls
from telegraph.directory.etcd.directory import MAX_TXN_OPS
from telegraph.testing.processes import RunningProcess

_HOST: Final = "127.0.0.1"
_READY: Final = "serving client traffic"
_DAY: Final = timedelta(days=1)


class EtcdCa:
    """A CA that signs members and their clients, one certificate serving as both."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "etcd CA of a test")])
        builder = self._builder(self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.pem = builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder(issuer_name=self._name, subject_name=subject, public_key=key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
        )

    def issue(self, name: str) -> EtcdTls:
        """A certificate for loopback, with its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(_HOST))]), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return EtcdTls(self.pem, certificate.public_bytes(Encoding.PEM), private)


class EtcdMember:
    """One member: ports, data directory and, while it runs, its process."""

    def __init__(self, name: str, folder: Path, tls: EtcdTls | None) -> None:
        self.name = name
        self.folder = folder
        self.client_port, self.peer_port = _free_ports(2)
        self.process: RunningProcess | None = None
        self._scheme = "https" if tls else "http"
        self._files = self._written(tls) if tls else []

    def _written(self, tls: EtcdTls) -> list[str]:
        folder = self.folder / "pki"
        folder.mkdir(parents=True)
        options = ["--client-cert-auth", "--peer-client-cert-auth"]
        for option, name, pem in (
            ("trusted-ca-file", "ca.pem", tls.ca),
            ("cert-file", "member.pem", tls.certificate),
            ("key-file", "member-key.pem", tls.key),
        ):
            (folder / name).write_bytes(pem)
            options += [f"--{prefix}{option}={folder / name}" for prefix in ("", "peer-")]
        return options

    @property
    def address(self) -> str:
        """``HOST:PORT`` of its client port."""
        return f"{_HOST}:{self.client_port}"

    @property
    def peer_url(self) -> str:
        """Where the other members find it."""
        return f"{self._scheme}://{_HOST}:{self.peer_port}"

    def start(self, members: Sequence["EtcdMember"], *, state: str = "new", ready: str = _READY) -> None:
        """Starts it and waits until it is ready, which takes a majority.

        Args:
            members: all members that the cluster begins with, or has when this one joins.
            state: ``new``, or ``existing`` if it joins.
            ready: what it prints then; a learner is never ready for clients.
        """
        client = f"{self._scheme}://{self.address}"
        self.process = RunningProcess(
            *(f"--name={self.name}", f"--data-dir={self.folder / 'data'}", f"--max-txn-ops={MAX_TXN_OPS}"),
            *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
            *(f"--listen-peer-urls={self.peer_url}", f"--initial-advertise-peer-urls={self.peer_url}"),
            "--initial-cluster=" + ",".join(f"{member.name}={member.peer_url}" for member in members),
            *(f"--initial-cluster-state={state}", "--logger=zap", "--log-outputs=stderr"),
            *self._files,
            ready=ready,
            program=("etcd",),
        )

    @property
    def running(self) -> bool:
        """Whether its process is there, stopped or not."""
        return self.process is not None and self.process.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        assert self.process is not None  # noqa: S101 - it was started
        self.process.signal(number)

    def kill(self) -> None:
        """SIGKILL, also if it is stopped."""
        if self.process is not None:
            self.process.kill()


class EtcdCluster:
    """Some members that know each other; use it as a context manager, so that they end with the test."""

    def __init__(self, root: Path, count: int = 1, *, secure: bool = False) -> None:
        """Starts them. ``secure``: with mutual TLS, and a certificate for clients in ``tls``."""
        self.ca = EtcdCa()
        self.tls = self.ca.issue("client") if secure else None
        self.members: list[EtcdMember] = []
        with ExitStack() as cleaning:
            for number in range(count):
                self.add(f"m{number}", root / f"m{number}")
                cleaning.callback(self.members[-1].kill)
            self.start()
            cleaning.pop_all()

    def add(self, name: str, folder: Path) -> EtcdMember:
        """A further member, not started yet."""
        member = EtcdMember(name, folder, self.ca.issue(name) if self.tls else None)
        self.members.append(member)
        return member

    def start(self) -> None:
        """Starts all that do not run, at once, for none is ready without a majority."""
        missing = [member for member in self.members if not member.running]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda member: member.start(self.members), missing))

    @property
    def addresses(self) -> list[str]:
        """The members' client ports."""
        return [member.address for member in self.members]

    def close(self) -> None:
        """Kills all."""
        for member in self.members:
            member.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _free_ports(count: int) -> list[int]:
    """Ports that nobody uses now; together, so that none is given twice."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((_HOST, 0))
        return [int(one.getsockname()[1]) for one in sockets]
