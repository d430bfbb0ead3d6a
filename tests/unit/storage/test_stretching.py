"""From a password to a key, as RFC 9106 says."""

import msgspec
import pytest

from telegraph.storage.stretching import KEY_BYTES, Stretching


def test_a_key_depends_on_the_password_the_salt_and_every_parameter() -> None:
    quick = Stretching(iterations=1, lanes=1, memory=16)
    same = quick.stretch(b"password", b"s" * 16)
    assert (len(same), quick.stretch(b"password", b"s" * 16)) == (KEY_BYTES, same)
    others = [
        quick.stretch(b"Password", b"s" * 16),
        quick.stretch(b"password", b"t" * 16),
        Stretching(iterations=2, lanes=1, memory=16).stretch(b"password", b"s" * 16),
        Stretching(iterations=1, lanes=2, memory=16).stretch(b"password", b"s" * 16),
        Stretching(iterations=1, lanes=1, memory=17).stretch(b"password", b"s" * 16),
    ]
    assert len({same, *others}) == 6


@pytest.mark.parametrize(
    "stored",
    [
        {"iterations": 0},
        {"iterations": 65},
        {"lanes": 0},
        {"memory": 4},
        {"memory": 2**23},
        {"lanes": 2, "memory": 15},
    ],
)
def test_parameters_that_no_file_has_are_refused(stored: dict[str, int]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(stored, Stretching)
