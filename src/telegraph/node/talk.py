"""One link in use: the greeting, then reading frames and doing what they ask (DESIGN.md section 7).

The dialler greets first; the one who was dialled answers once they know who it is. After that either end sends
messages and receipts,
and acknowledges those of the other after the commit that makes them durable, never before.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Protocol, TypeVar

import structlog

from telegraph.errors import ForgedFrame, MalformedBody, TelegraphError
from telegraph.node import epochs, streams, voids
from telegraph.node.database import Database
from telegraph.node.divergence import Claim, chosen_epoch, may_follow
from telegraph.node.links import OpenLink
from telegraph.node.model import LOCAL_KINDS, Contact
from telegraph.node.places import Places
from telegraph.peer.port import Link, LinkClosed, Unreachable
from telegraph.protocol.frames import (
    REFUSED_FOR_GOOD,
    Anew,
    ErrorFrame,
    Frame,
    Hello,
    MessageFrame,
    Moved,
    Read,
    ReadStored,
    Refuse,
    Skip,
    Skipped,
    Stored,
    Whereabouts,
    WhereIs,
    decode_frames,
    encode_frames,
)
from telegraph.protocol.identity import Holder
from telegraph.protocol.version import PEER_PROTOCOL
from telegraph.storage.engine import sqlite3

log = structlog.get_logger(__name__)

T = TypeVar("T")

_GREETING_TIMEOUT = 3.0


class Surroundings(Protocol):
    """What a link needs of the node around it."""

    user_id: str
    username: str
    database: Database
    places: Places

    async def identify(self, holder: Holder, username: str) -> Contact:
        """The contact behind a certificate and the name that it claims.

        Raises:
            TelegraphError: they do not fit, or it cannot be checked now.
        """
        ...

    def contact(self, contact_id: int) -> Contact:
        """A contact by its row."""
        ...

    def known(self, holder: Holder) -> Contact | None:
        """The contact with this user id, if there is one."""
        ...

    def happened(self, contact_id: int) -> None:
        """Something about a contact's messages changed: tell followers, wake its courier."""
        ...

    def arrived(self) -> None:
        """Messages are on disk here: tell followers."""
        ...

    def given_up(self, contact_id: int) -> None:
        """Something became of a message of ours that is not told by a number: who waits for it has to look."""
        ...

    def acknowledged(self, contact_id: int, upto: int) -> None:
        """A contact has our messages up to a number on disk: tell who waits for that, wake its courier."""
        ...

    def may_begin_anew(self, contact_id: int) -> bool:
        """Whether the numbers of a conversation may begin anew, which nobody needs often."""
        ...

    async def begun_anew(self, contact_id: int) -> None:
        """The numbers of a conversation have begun anew: links that count by the old ones are of no use."""
        ...


async def greet(link: Link, contact: Contact, around: Surroundings) -> OpenLink:
    """Greets as the dialler and waits for the answer.

    Raises:
        Unreachable: the other end does not speak with us now.
    """
    try:
        return await _greet(link, contact, around)
    except BaseException:  # also when the dial is given up: nobody else knows of this link, and its far end would wait
        await link.close()
        raise


async def _greet(link: Link, contact: Contact, around: Surroundings) -> OpenLink:
    delivered = epochs.delivered(around.database.reader, contact.id)
    mine = _hello(contact.id, around)
    try:
        async with asyncio.timeout(_GREETING_TIMEOUT):
            await link.send(encode_frames([mine]))
            frames = decode_frames(await link.receive())
        match frames:
            case [Hello(user_id=user_id, versions=versions) as hello, *rest] if (
                user_id == contact.user_id == link.remote.id and PEER_PROTOCOL in versions
            ):
                await around.places.greeted(contact.id, hello)
                for frame in rest:
                    if isinstance(frame, Anew):
                        await _agree(contact.id, frame, mine.epoch, _claim(hello), around)
                        raise Unreachable("the numbers begin anew")
                opened = await _opened(link, contact.id, hello, mine, delivered, around)
                if opened is not None:
                    return opened
                await link.send(encode_frames([await _begin_anew(contact.id, _claim(hello), around)]))
                raise Unreachable("the numbers begin anew")
            case [ErrorFrame(error=error), *_]:
                log.info("peer_refused", contact=contact.user_id, code=error)
    except (LinkClosed, TimeoutError, MalformedBody) as problem:
        raise Unreachable("no greeting") from problem
    except ForgedFrame as problem:
        log.warning("greeting_forged", contact=contact.user_id)
        raise Unreachable("forged") from problem
    raise Unreachable("refused")


async def answer_greeting(link: Link, around: Surroundings) -> OpenLink:
    """Answers a dialler's greeting once it is known who it is.

    Raises:
        TelegraphError: they cannot be spoken with; they were told, and the link is to be closed.
        LinkClosed: they went away, or the numbers begin anew, on another link.
    """
    known = around.known(link.remote)
    delivered = epochs.delivered(around.database.reader, known.id) if known is not None else 0
    async with asyncio.timeout(_GREETING_TIMEOUT):
        frames = decode_frames(await link.receive())
        try:
            hello = _first_hello(frames, link.remote)
            contact = await around.identify(link.remote, hello.username)
            await around.places.greeted(contact.id, hello)
            mine = _hello(contact.id, around)
            opened = await _opened(link, contact.id, hello, mine, delivered, around)
            anew = [] if opened is not None else [await _begin_anew(contact.id, _claim(hello), around)]
        except TelegraphError as error:
            await link.send(encode_frames([ErrorFrame(error.code, error.sentence()[:256])]))
            raise
        await link.send(encode_frames([mine, *anew]))
    if opened is None:
        raise LinkClosed
    return opened


def _first_hello(frames: list[Frame], remote: Holder) -> Hello:
    if not frames or not isinstance(frames[0], Hello):
        raise MalformedBody(detail="a link begins with a greeting")
    hello = frames[0]
    if hello.user_id != remote.id:
        raise ForgedFrame(detail="the greeting names another user")
    if PEER_PROTOCOL not in hello.versions:
        raise MalformedBody(detail=f"only version {PEER_PROTOCOL} of the link is spoken here")
    return hello


def _hello(contact: int, around: Surroundings) -> Hello:
    have = epochs.claim_of(around.database.reader, contact)
    return Hello(
        versions=[PEER_PROTOCOL],
        user_id=around.user_id,
        username=around.username,
        received=have.received,
        address=around.places.own_address(),
        knows=around.contact(contact).counter,
        epoch=have.epoch,
        received_id=have.received_id,
        top=have.top,
    )


def _claim(hello: Hello) -> Claim:
    return Claim(hello.epoch, hello.received, hello.received_id, hello.top)


async def _opened(
    link: Link, contact: int, hello: Hello, mine: Hello, delivered: int, around: Surroundings
) -> OpenLink | None:
    """The link, ready for use; None if the numbers of the two ends do not fit together."""
    claim = _claim(hello)
    settled = await around.database.write(lambda connection: epochs.settle(connection, contact, claim, delivered))
    if not settled.fits:
        return None
    if settled.news:
        around.happened(contact)
    around.acknowledged(contact, hello.received)
    opened = OpenLink(link, contact, asyncio.get_running_loop().time(), hello.received)
    opened.told = mine.address.counter if mine.address else 0
    opened.stream, opened.epoch, opened.claim = settled.stream, mine.epoch, claim
    return opened


# --- numbers that do not fit ---


async def _begin_anew(contact: int, claim: Claim, around: Surroundings) -> Anew:
    """Begins anew, and gives the word that makes the other end do so as well.

    Raises:
        ForgedFrame: that was done too often lately.
    """
    reader = around.database.reader
    ours = epochs.claim_of(reader, contact).epoch
    epoch = chosen_epoch(ours, claim, fresh=epochs.is_fresh(reader, contact))
    if epoch is None or (epoch > ours and not around.may_begin_anew(contact)):
        raise ForgedFrame(detail="its numbers do not fit ours")
    await _renew(contact, epoch, claim, around)
    return Anew(epoch)


async def _agree(contact: int, anew: Anew, own_epoch: int, claim: Claim, around: Surroundings) -> None:
    """The other end has begun anew; so does this one, unless it is there already. ``own_epoch``: when it greeted.

    Raises:
        ForgedFrame: not as the greetings on this link allow, or too often lately.
    """
    if not may_follow(anew.epoch, own_epoch, claim.epoch):
        raise ForgedFrame(detail="the numbers must not begin anew")
    behind = anew.epoch > epochs.claim_of(around.database.reader, contact).epoch
    if behind and not around.may_begin_anew(contact):
        raise ForgedFrame(detail="the numbers began anew too often")
    await _renew(contact, anew.epoch, claim, around)


async def _renew(contact: int, epoch: int, claim: Claim, around: Surroundings) -> None:
    now = time.time_ns() // 1000
    if await around.database.write(lambda connection: epochs.renew(connection, contact, epoch, claim, now)):
        log.warning("numbers_begin_anew", contact=around.contact(contact).user_id)
        await around.begun_anew(contact)


async def listen(open_link: OpenLink, around: Surroundings) -> None:
    """Reads and handles frames until the link is gone."""
    try:
        while True:
            first = await open_link.link.receive()
            for frames, problem in _together([first, *open_link.link.arrived()]):
                try:
                    await _handle(frames, open_link, around)
                    if problem is not None:
                        raise problem
                except TelegraphError as error:
                    log.info("frames_refused", contact=around.contact(open_link.contact).user_id, code=error.code)
                    open_link.answer(ErrorFrame(error.code, error.sentence()[:256]))
    except LinkClosed:
        return


def _together(received: list[bytes]) -> Iterator[tuple[list[Frame], MalformedBody | None]]:
    """What came while the frames before were stored, for one commit, up to what was not understood; then the rest."""
    frames: list[Frame] = []
    for data in received:
        try:
            frames += decode_frames(data)
        except MalformedBody as problem:
            yield frames, problem
            frames = []
    yield frames, None


async def _handle(frames: list[Frame], open_link: OpenLink, around: Surroundings) -> None:
    messages: list[MessageFrame] = []
    for frame in frames:
        if isinstance(frame, MessageFrame):
            messages.append(frame)
            continue
        if messages:
            await _take(messages, open_link, around)
            messages = []
        await _handle_one(frame, open_link, around)
    if messages:
        await _take(messages, open_link, around)


async def _take(messages: list[MessageFrame], open_link: OpenLink, around: Surroundings) -> None:
    """Stores messages and acknowledges them, after the commit."""
    contact = around.contact(open_link.contact)
    for message in messages:
        if message.sender != contact.user_id or message.recipient != around.user_id:
            raise ForgedFrame(detail="a message names another sender or recipient")
        if message.kind in LOCAL_KINDS:
            raise ForgedFrame(detail="an entry of this kind is written by the reader's own machine")
    taken = await _write(open_link, around, lambda connection, row: streams.receive(connection, row, messages))
    open_link.answer(Stored(taken.received))
    if taken.refusal is not None:
        open_link.answer(taken.refusal)
    if taken.stored:
        around.arrived()


def _go_back(open_link: OpenLink, expected: int, around: Surroundings) -> None:
    """Sends again from a number on, if that still waits here; what they once acknowledged cannot be sent again.

    It may be the next one anyway: several refusals of what was in flight ask for the same number.
    """
    if expected <= open_link.sent + 1 and voids.waits(around.database.reader, open_link.contact, expected):
        open_link.sent = open_link.acknowledged = expected - 1
    else:
        log.warning("peer_lost_messages", contact=open_link.link.remote.id, expected=expected)
        open_link.refused = True


async def _write(open_link: OpenLink, around: Surroundings, job: Callable[[sqlite3.Connection, int], T]) -> T:
    """Runs a job about the link's streams.

    Raises:
        LinkClosed: the contact has another device by now, or the numbers began anew; those of this link mean nothing.
    """

    def checked(connection: sqlite3.Connection) -> T:
        _check_numbers(connection, open_link)
        return job(connection, open_link.contact)

    return await around.database.write(checked, brief=True)


def _check_numbers(connection: sqlite3.Connection, open_link: OpenLink) -> None:
    if streams.stream_with(connection, open_link.contact, open_link.link.remote.key) != open_link.stream:
        raise LinkClosed


def _acknowledge(upto: int, open_link: OpenLink, around: Surroundings) -> None:
    """They have our messages up to a number on disk. That is known from now on; here it rides with the next commit.

    If that fails nothing is lost: they say it again when they greet.
    """
    if upto <= open_link.acknowledged or open_link.closed.is_set():
        return
    open_link.acknowledged = upto
    around.acknowledged(open_link.contact, upto)
    _mark(open_link, around)


def _mark(open_link: OpenLink, around: Surroundings) -> None:
    if open_link.marking or open_link.marked >= open_link.acknowledged:
        return
    open_link.marking = True
    contact = open_link.contact

    def mark(connection: sqlite3.Connection) -> int:
        _check_numbers(connection, open_link)
        upto = open_link.acknowledged  # also what came since this was handed in
        streams.stored_by_peer(connection, contact, upto)
        return upto

    around.database.write_later(mark).add_done_callback(lambda done: _marked(done, open_link, around))


def _marked(done: "asyncio.Future[int]", open_link: OpenLink, around: Surroundings) -> None:
    open_link.marking = False
    if done.cancelled() or done.exception() is not None:
        open_link.refused = True  # the disk failed, or they have another device by now: its courier closes the link
    else:
        open_link.marked = done.result()
        _mark(open_link, around)
    around.arrived()
    around.acknowledged(open_link.contact, 0)


async def _handle_one(frame: Frame, open_link: OpenLink, around: Surroundings) -> None:
    contact = open_link.contact
    match frame:
        case Stored(seq):
            _acknowledge(min(seq, open_link.sent), open_link, around)
            return
        case Read(seq):
            await _write(open_link, around, lambda connection, row: streams.read_by_peer(connection, row, seq))
            around.acknowledged(contact, min(seq, open_link.sent))
            open_link.answer(ReadStored(seq))
        case ReadStored(seq):
            await _write(open_link, around, lambda connection, row: streams.receipt_told(connection, row, seq))
        case Refuse(error="sequence_gap", expected=expected):
            _go_back(open_link, expected, around)
        case Refuse(seq=seq, error=error) if error in REFUSED_FOR_GOOD:
            log.warning("message_refused", contact=around.contact(contact).user_id, code=error)
            await _write(open_link, around, lambda connection, row: voids.refused(connection, row, seq))
            around.given_up(contact)
            _go_back(open_link, seq, around)  # those behind it were refused too, or will be
        case Skip():
            open_link.answer(
                await _write(open_link, around, lambda connection, row: voids.skip(connection, row, frame))
            )
        case Skipped(seq=seq):
            now = time.time_ns() // 1000
            await _write(
                open_link,
                around,
                lambda connection, row: voids.answered(connection, row, frame, now, Random()),  # noqa: S311 - for ids
            )
            open_link.asked.discard(seq)
            around.given_up(contact)
            open_link.acknowledged = max(open_link.acknowledged, min(seq, open_link.sent))
        case Refuse(error=error) | ErrorFrame(error=error):
            log.warning("peer_refused", contact=around.contact(contact).user_id, code=error)
            open_link.refused = True
        case Moved() | WhereIs() | Whereabouts() | Anew():
            await _handle_about_ends(frame, open_link, around)
            return
        case _:  # a second greeting means nothing
            return
    around.happened(contact)


async def _handle_about_ends(
    frame: Moved | WhereIs | Whereabouts | Anew, open_link: OpenLink, around: Surroundings
) -> None:
    if not isinstance(frame, Anew):
        await around.places.handle(open_link, frame)
        return
    await _agree(open_link.contact, frame, open_link.epoch, open_link.claim, around)
    raise LinkClosed
