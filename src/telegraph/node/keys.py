"""The device key of a node: it names the device, authenticates its links and signs its addresses (DESIGN.md section 5).

Ed25519 (RFC 8032): deterministic signatures and keys of 32 raw bytes, which is what contacts pin.
"""

from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from telegraph.protocol.addresses import address_to_sign
from telegraph.protocol.frames import SignedAddress


class DeviceKey:
    """A device's Ed25519 key pair. Its representation never shows the private half."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self._public = private.public_key().public_bytes_raw()

    @classmethod
    def create(cls) -> Self:
        """A new random key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_private_bytes(cls, private: bytes) -> Self:
        """The key out of its 32 raw private bytes.

        Raises:
            ValueError: not 32 bytes.
        """
        return cls(Ed25519PrivateKey.from_private_bytes(private))

    @property
    def private_bytes(self) -> bytes:
        """The 32 raw private bytes: a secret, for the node's own store only."""
        return self._private.private_bytes_raw()

    @property
    def private_pem(self) -> bytes:
        """The private key as unencrypted PKCS 8 PEM: a secret, for TLS only."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def public(self) -> bytes:
        """The 32 raw bytes of the public key."""
        return self._public

    def csr(self) -> str:
        """A certificate signing request (PKCS 10, PEM). It asks for no name: the manager alone says whose key it is."""
        request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(self._private, None)
        return request.public_bytes(Encoding.PEM).decode()

    def sign(self, data: bytes) -> bytes:
        """The signature (64 bytes)."""
        return self._private.sign(data)

    @staticmethod
    def verify(public: bytes, signature: bytes, data: bytes) -> bool:
        """Whether the holder of this public key signed the data; False too for a key or signature that is none."""
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
        except (ValueError, InvalidSignature):
            return False
        return True

    def sign_address(self, user_id: str, host: str, port: int, counter: int) -> SignedAddress:
        """Vouches that this user's device can be reached there; the highest counter is the newest address."""
        signature = self.sign(address_to_sign(user_id, host, port, counter))
        return SignedAddress(host=host, port=port, counter=counter, signature=signature)


def verify_address(public: bytes, user_id: str, address: SignedAddress) -> bool:
    """Whether the device with this public key vouched for the address as this user's."""
    signed = address_to_sign(user_id, address.host, address.port, address.counter)
    return DeviceKey.verify(public, address.signature, signed)
