"""Certificate signing requests (PKCS 10, RFC 2986): a key is made where it is used, and only its request travels."""

from collections.abc import Sequence
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from telegraph.errors import CannotJoin, IllegalCsr
from telegraph.manager.issuing import host_name

MAX_CSR_LENGTH: Final = 8192
"""Characters of a PEM request; one for an Ed25519 key has about 300."""

MOST_HOSTS: Final = 32
"""Names that a manager may ask for; one has a handful."""


class HostRequest(msgspec.Struct, frozen=True):
    """What a manager's request asks for: a certificate for this key, which it proves to hold, and these hosts."""

    key: ec.EllipticCurvePublicKey
    hosts: tuple[str, ...]


def request_for(key: ec.EllipticCurvePrivateKey, hosts: Sequence[str]) -> str:
    """A request in PEM.

    Args:
        key: of the curve P-256; signs the request.
        hosts: IP addresses and DNS names; as subject alternative names.
    """
    names = x509.SubjectAlternativeName([host_name(host) for host in dict.fromkeys(hosts)])
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(names, critical=True)
    return request.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def load_request(csr_pem: str) -> x509.CertificateSigningRequest:
    """A request whose sender holds its key.

    Raises:
        IllegalCsr: not PEM, too long, or not signed by its own key.
    """
    if len(csr_pem) > MAX_CSR_LENGTH:
        raise IllegalCsr(detail=f"it is longer than {MAX_CSR_LENGTH} characters")
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode("ascii"))
        request.public_key()
        proven = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature, x509.InvalidVersion):
        raise IllegalCsr(detail="it is not a PKCS 10 request in PEM") from None
    if not proven:
        raise IllegalCsr(detail="it is not signed by its own key")
    return request


def read_host_request(csr_pem: str) -> HostRequest:
    """What a manager's request asks for; whatever else it wants is left unread.

    Raises:
        IllegalCsr: see :func:`load_request`; or another kind of key, or hosts that cannot be read or are too many.
    """
    request = load_request(csr_pem)
    key = request.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise IllegalCsr(detail="its key is not an ECDSA key of the curve P-256")
    try:
        hosts = _hosts(request)
    except (ValueError, x509.DuplicateExtension):
        raise IllegalCsr(detail="the hosts that it names cannot be read") from None
    if len(hosts) > MOST_HOSTS:
        raise IllegalCsr(detail=f"it names more than {MOST_HOSTS} hosts")
    return HostRequest(key, hosts)


def _hosts(request: x509.CertificateSigningRequest) -> tuple[str, ...]:
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return tuple(dict.fromkeys([*addresses, *names.get_values_for_type(x509.DNSName)]))


def check_signed(certificate_pem: str, key: ec.EllipticCurvePrivateKey, root: x509.Certificate) -> None:
    """Makes sure that what a request was answered with is a certificate of this CA for this key.

    Raises:
        CannotJoin: it is not.
    """
    try:
        leaf = x509.load_pem_x509_certificate(certificate_pem.encode())
        leaf.verify_directly_issued_by(root)
        fits = leaf.public_key() == key.public_key()
    except (ValueError, TypeError, InvalidSignature):
        fits = False
    if not fits:
        raise CannotJoin(detail="the manager that it asked has signed something else than its request; ask another")
