"""Taking a directory over: all of it, in pieces that etcd takes, with a name of its own."""

from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory import records
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Entry, Put
from telegraph.manager.cluster.copying import batches, copy_all
from telegraph.manager.revocations import directory_id

entries = st.lists(st.builds(Entry, st.text("ab/", min_size=1, max_size=9), st.binary(max_size=9), st.just(1)))


@given(entries)
def test_pieces_hold_everything_in_order_and_are_never_empty(given_entries: list[Entry]) -> None:
    pieces = list(batches(given_entries))
    assert [entry for piece in pieces for entry in piece] == given_entries
    assert all(pieces)


def test_pieces_are_small_enough_for_etcd() -> None:
    many = [Entry(f"key/{number:04}", b"x", 1) for number in range(250)]
    assert [len(piece) for piece in batches(many)] == [100, 100, 50]
    large = [Entry(f"key/{number}", b"x" * 300_000, 1) for number in range(4)]
    assert [len(piece) for piece in batches(large)] == [1, 1, 1, 1]


async def test_everything_is_copied_but_the_directorys_own_name_and_what_hangs_on_a_lease() -> None:
    source, target = MemoryDirectory(), MemoryDirectory()
    name, lease = await directory_id(source), await source.grant(5.0)
    await source.commit([], [Put(f"account/{number}", b"alice") for number in range(130)])
    await source.commit([], [Put("setting/registration", b'"open"'), Put("presence/x", b"there", lease)])
    assert await copy_all(source, target) == 131
    copied = {entry.key: entry.value for entry in (await target.scan("")).entries}
    assert len(copied) == 131
    assert (copied["account/7"], copied["setting/registration"]) == (b"alice", b'"open"')
    assert await directory_id(target) != name
    assert records.DIRECTORY_ID not in copied
