"""User names and passwords: which are allowed, and when two names are the same (DESIGN.md section 5).

A name has 1 to 64 characters: letters and digits of any script, their combining marks, and ``.``, ``_``, ``-``; it
begins with a letter or a digit. Letters and marks that show nothing are left out. ``~`` is kept for names that sites
give at a heal. Two names are the same if their :func:`name_key` is: NFKC and case folding (Unicode TR 15, TR 21) make
look-alikes such as ``ALICE``, ``ａｌｉｃｅ`` and ``alice`` one name. The name is shown as its owner typed it, in NFC.
"""

import unicodedata

from telegraph.errors import IllegalName, IllegalPassword

MAX_NAME_LENGTH = 64
MIN_PASSWORD_CHARACTERS = 8
MAX_PASSWORD_BYTES = 72
"""bcrypt reads no further (its authors' paper, section 4), so more is refused instead of silently cut."""

HEALED = "~"
"""Stands before the site in the name of somebody whose name another site's user holds since a heal."""

_PUNCTUATION = frozenset("._-")

_INVISIBLE = frozenset(
    character
    for first, last in (
        (0x034F, 0x034F),  # combining grapheme joiner
        (0x115F, 0x1160),  # Hangul fillers
        (0x17B4, 0x17B5),  # Khmer inherent vowels
        (0x180B, 0x180F),  # Mongolian variation selectors
        (0x3164, 0x3164),  # Hangul filler
        (0xFE00, 0xFE0F),  # variation selectors
        (0xFFA0, 0xFFA0),  # half-width Hangul filler
        (0xE0100, 0xE01EF),  # variation selectors supplement
    )
    for character in map(chr, range(first, last + 1))
)
"""Letters and marks that show nothing, so that a name with one looks like the name without.

They are the ``Default_Ignorable_Code_Point`` of Unicode's DerivedCoreProperties.txt that are letters or marks; the
others are no letters and refused anyway.
"""


def name_key(username: str) -> str:
    """What makes two names the same; also the form in which the directory stores a claim.

    Folding and normalising can undo each other, so they are repeated until nothing changes.
    """
    key = username
    for _ in range(4):
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", key).casefold())
        if folded == key:
            break
        key = folded
    return key


def base_name(username: str) -> str:
    """The name without what a heal between sites may have put behind it: ``bob`` of ``bob~lima``."""
    return username.partition(HEALED)[0]


def may_be_same(one: str, other: str) -> bool:
    """Whether two names can be one person's before and after a heal between sites.

    It says nothing of who they are: that is the certificate's matter.
    """
    return name_key(base_name(one)) == name_key(base_name(other))


def check_username(username: str) -> str:
    """The name as it will be shown (NFC).

    Raises:
        IllegalName: with what is wrong about it.
    """
    shown = unicodedata.normalize("NFC", username)
    if not shown:
        raise IllegalName(detail="it is empty")
    key = name_key(shown)
    if max(len(shown), len(key)) > MAX_NAME_LENGTH:
        raise IllegalName(detail=f"it has more than {MAX_NAME_LENGTH} characters")
    for text in (shown, key):
        for character in text:
            if not _allowed(character):
                raise IllegalName(
                    detail="only letters, digits and . _ - are allowed, and it has "
                    f"U+{ord(character):04X} ({unicodedata.name(character, 'a control character').lower()})"
                )
    if not key or unicodedata.category(key[0])[0] not in "LN" or unicodedata.category(shown[0])[0] not in "LN":
        raise IllegalName(detail="it must begin with a letter or a digit")
    return shown


def check_password(password: str) -> bytes:
    """The password's UTF-8 bytes, as bcrypt takes them.

    Raises:
        IllegalPassword: shorter than 8 characters, longer than 72 bytes, or with a NUL.
    """
    try:
        encoded = password.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can carry
        raise IllegalPassword from None
    if len(password) < MIN_PASSWORD_CHARACTERS or len(encoded) > MAX_PASSWORD_BYTES or "\0" in password:
        raise IllegalPassword
    return encoded


def _allowed(character: str) -> bool:
    if character in _INVISIBLE:
        return False
    category = unicodedata.category(character)
    return category[0] == "L" or category in ("Nd", "Mn", "Mc") or character in _PUNCTUATION
