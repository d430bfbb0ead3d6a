"""What nodes are told of the managers, and of how to come back."""

from hypothesis import given
from hypothesis import strategies as st

from telegraph.manager.roster import Roster, band, silence_for, spread_for
from telegraph.manager.sessions import Caller
from telegraph.manager.streams import Hub, Stream
from telegraph.protocol.manager_events import MAX_EVENT_BYTES, MAX_SITES, Managers, SiteState, encode_event

ONE, TWO = "https://one:8000", "https://two:8000"


class Room:
    """A hub with streams, each of which reads what it is told."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.roster = Roster(self.hub, ONE)
        self.streams: list[Stream] = []

    def open(self, count: int = 1) -> Stream:
        for _ in range(count):
            stream = self.hub.open(Caller("id", "alice", f"s{len(self.streams)}", 1, device=True))
            self.streams.append(stream)
            self.roster.greet(stream)
        return self.streams[-1]

    @staticmethod
    async def told(stream: Stream) -> list[Managers]:
        stream.close()
        events = []
        while (event := await stream.next()) is not None:
            assert isinstance(event, Managers)
            events.append(event)
        return events


async def test_a_stream_that_opens_is_told_of_the_managers_once() -> None:
    room = Room()
    assert await room.told(room.open()) == [Managers([ONE])]


async def test_every_stream_hears_of_another_manager_and_of_nothing_that_is_no_news() -> None:
    room = Room()
    first, second = room.open(), room.open()
    room.roster.managers_are([ONE, TWO, TWO])
    room.roster.managers_are([ONE, TWO])
    room.roster.managers_are([])
    for stream in (first, second):
        assert await room.told(stream) == [Managers([ONE]), Managers([ONE, TWO])]
    assert room.roster.urls == [ONE, TWO]


async def test_every_stream_hears_when_the_manager_cannot_do_its_work_and_when_it_can_again() -> None:
    room = Room()
    stream = room.open()
    for ready in (True, False, False, True):
        room.roster.set_ready(ready)
    assert await room.told(stream) == [Managers([ONE]), Managers([ONE], ready=False), Managers([ONE])]


async def test_the_more_streams_there_are_the_more_they_spread_and_all_hear_of_it() -> None:
    room = Room()
    first = room.open()
    room.open(999)
    told = await room.told(first)
    assert [event.spread for event in told] == [0.0, *(spread_for(64 * 2**power) for power in (1, 2, 3, 4))]
    assert told[-1].spread > 1.9
    assert len(await room.told(room.streams[-1])) == 1


async def test_when_most_have_left_the_spread_is_smaller_again() -> None:
    room = Room()
    room.open(600)
    for stream in room.streams[1:]:
        room.hub.discard(stream)
    assert (await room.told(room.open()))[-1].spread == 0.0


@given(st.integers(min_value=0, max_value=200_000))
def test_bands_hold_their_streams_and_what_is_told_stays_within_the_protocol(count: int) -> None:
    many = band(count)
    assert count <= many <= max(64, 2 * count)
    assert 0 <= spread_for(many) <= 20
    assert 3 <= silence_for(many) <= 10


async def test_the_longest_list_fits_into_a_frame() -> None:
    room = Room()
    room.roster.managers_are(f"https://{'x' * 240}{number}.example:8000" for number in range(100))
    (event,) = await room.told(room.open())
    assert len(encode_event(event)) < MAX_EVENT_BYTES


# --- other sites ---


async def test_nodes_hear_of_other_sites_and_of_each_cut_once() -> None:
    room = Room()
    stream = room.open()
    heard, cut = SiteState("lima", up=True, urls=[TWO]), SiteState("lima", up=False, heard="then", urls=[TWO])
    for others in ([heard], [heard], [cut]):
        room.roster.sites_are("cusco", others)

    told = await room.told(stream)

    assert [(event.site, event.sites) for event in told] == [("", []), ("cusco", [heard]), ("cusco", [cut])]


async def test_what_nodes_are_told_of_many_sites_fits_into_a_frame() -> None:
    room = Room()
    room.roster.sites_are("cusco", [SiteState(f"s{number}", up=True, urls=[ONE]) for number in range(100)])
    (event,) = await room.told(room.open())
    assert len(event.sites) == MAX_SITES
    assert len(encode_event(event)) < MAX_EVENT_BYTES
