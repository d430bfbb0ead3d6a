import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from telegraph.node.keys import DeviceKey, verify_address
from telegraph.protocol.addresses import address_to_sign
from telegraph.protocol.frames import SignedAddress

ALICE = DeviceKey.create()
BOB = DeviceKey.create()


def test_two_keys_are_never_the_same() -> None:
    assert ALICE.public != BOB.public
    assert len(ALICE.public) == len(ALICE.private_bytes) == 32


def test_a_key_is_the_same_after_storing() -> None:
    again = DeviceKey.from_private_bytes(ALICE.private_bytes)
    assert again.public == ALICE.public
    assert again.sign(b"hello") == ALICE.sign(b"hello")


def test_a_stored_key_that_was_cut_short_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        DeviceKey.from_private_bytes(ALICE.private_bytes[:-1])


def test_the_pem_holds_the_same_key() -> None:
    key = load_pem_private_key(ALICE.private_pem, None)
    assert key.public_key().public_bytes_raw() == ALICE.public  # type: ignore[union-attr]


def test_the_request_proves_the_key_and_asks_for_no_name() -> None:
    request = x509.load_pem_x509_csr(ALICE.csr().encode())
    assert request.is_signature_valid
    assert request.public_key().public_bytes_raw() == ALICE.public  # type: ignore[union-attr]
    assert list(request.subject) == []
    assert list(request.extensions) == []


def test_what_alice_signed_nobody_else_signed() -> None:
    signature = ALICE.sign(b"hello")
    assert len(signature) == 64
    assert DeviceKey.verify(ALICE.public, signature, b"hello")
    assert not DeviceKey.verify(BOB.public, signature, b"hello")
    assert not DeviceKey.verify(ALICE.public, signature, b"hello!")


@given(public=st.binary(max_size=40), signature=st.binary(max_size=70), data=st.binary(max_size=20))
def test_garbage_is_no_signature_and_no_crash(public: bytes, signature: bytes, data: bytes) -> None:
    assert not DeviceKey.verify(ALICE.public, signature, data)
    assert not DeviceKey.verify(public, ALICE.sign(data), data)


def test_the_private_half_is_not_shown() -> None:
    assert ALICE.private_bytes.hex() not in repr(ALICE)
    assert repr(ALICE.private_bytes) not in repr(ALICE)


def test_alice_vouches_for_her_address() -> None:
    address = ALICE.sign_address("alice-id", "192.168.1.7", 8000, 42)
    assert (address.host, address.port, address.counter) == ("192.168.1.7", 8000, 42)
    assert DeviceKey.verify(ALICE.public, address.signature, address_to_sign("alice-id", "192.168.1.7", 8000, 42))
    assert verify_address(ALICE.public, "alice-id", address)


def test_nobody_can_pass_alices_address_off_as_another() -> None:
    address = ALICE.sign_address("alice-id", "192.168.1.7", 8000, 42)
    assert not verify_address(ALICE.public, "bob-id", address)
    assert not verify_address(BOB.public, "alice-id", address)
    for changed in (
        SignedAddress("192.168.1.8", 8000, 42, address.signature),
        SignedAddress("192.168.1.7", 8001, 42, address.signature),
        SignedAddress("192.168.1.7", 8000, 43, address.signature),
        SignedAddress("192.168.1.7", 8000, 42, address.signature[::-1]),
        SignedAddress("192.168.1.7\0" + "8000", 42, 42, address.signature),
    ):
        assert not verify_address(ALICE.public, "alice-id", changed)


@given(
    host=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40),
    port=st.integers(),
    counter=st.integers(),
)
def test_every_address_that_was_signed_verifies(host: str, port: int, counter: int) -> None:
    assert verify_address(BOB.public, "bob-id", BOB.sign_address("bob-id", host, port, counter))
