"""What a backup holds and what of it comes back: everything of people, nothing of processes, nobody online."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory import cluster_records, records
from telegraph.directory.port import Entry
from telegraph.directory.records import Presence, decode, encode
from telegraph.directory.state_hash import state_hash
from telegraph.manager.keeping.content import Manifest, Pair, Reader, begun, continued, kept, revived
from telegraph.manager.keeping.sealing import Damaged

USER = "a" * 32
ONLINE = Presence("192.0.2.7", 9000, 42, "online", "2030-01-01T00:00:00Z", b"signed")

keys = st.sampled_from(
    [
        *("account/", "name/", "revoked/", "tombstone/", "ended/", "invite/", "setting/", "session/", "use/"),
        *("manager/", "cluster/", "leader/"),
    ]
)
entries = st.lists(
    st.builds(
        lambda prefix, rest, value, lease: Entry(prefix + rest, value, 1, lease),
        keys,
        st.text("abc", min_size=1, max_size=6),
        st.binary(max_size=40),
        st.sampled_from([0, 0, 7]),
    ),
    max_size=40,
    unique_by=lambda entry: entry.key,
)


def manifest(count: int, state: str = "") -> Manifest:
    return Manifest("1.0", "2030-01-01T00:00:00Z", 9, state, count, "certificate", b"secret key")


def parts(said: Manifest, given_entries: list[Entry]) -> list[bytes]:
    return [begun(said), *continued(given_entries)]


def read(content: bytes, size: int = 7) -> tuple[Manifest, list[Pair]]:
    reader = Reader(content[begin : begin + size] for begin in range(0, len(content), size))
    return reader.manifest, [pair for pairs in reader.pairs() for pair in pairs]


@given(entries, st.integers(1, 5000))
def test_everything_that_was_put_in_comes_out_in_order(given_entries: list[Entry], size: int) -> None:
    said = manifest(len(given_entries))
    assert read(b"".join(parts(said, given_entries)), size) == (
        said,
        [(entry.key, entry.value) for entry in given_entries],
    )


@given(entries, st.integers(1, 9))
def test_it_does_not_matter_how_entries_are_handed_in(given_entries: list[Entry], size: int) -> None:
    said = manifest(len(given_entries))
    pages = [given_entries[begin : begin + size] for begin in range(0, len(given_entries), size)]
    content = b"".join([begun(said), *(part for page in [*pages, []] for part in continued(page))])
    assert read(content) == read(b"".join(parts(said, given_entries)))


def test_many_entries_are_many_parts_none_of_which_is_large() -> None:
    many = [Entry(f"account/{number}", b"x" * 300, 1) for number in range(5000)]
    pieces = parts(manifest(5000), many)
    assert len(pieces) == 11
    assert max(map(len, pieces)) < 500 * 400
    assert len(read(b"".join(pieces), 65536)[1]) == 5000


@given(entries.filter(bool), st.data())
def test_content_that_ends_early_is_noticed(given_entries: list[Entry], data: st.DataObject) -> None:
    content = b"".join(parts(manifest(len(given_entries)), given_entries))
    with pytest.raises(Damaged):
        read(content[: data.draw(st.integers(0, len(content) - 1))])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_more_or_fewer_entries_than_the_manifest_says_are_noticed(count: int) -> None:
    two = [Entry("account/a", b"1", 1), Entry("account/b", b"2", 1)]
    with pytest.raises(Damaged):
        read(b"".join(parts(manifest(count), two)))


@pytest.mark.parametrize("body", [b"\xc1", msgspec.msgpack.encode([1]), b"", msgspec.msgpack.encode([])])
def test_parts_that_are_none_are_noticed(body: bytes) -> None:
    whole = b"".join(parts(manifest(1), []))
    with pytest.raises(Damaged):
        read(whole + len(body).to_bytes(4, "big") + body)
    with pytest.raises(Damaged):
        read(len(body).to_bytes(4, "big") + body)
    with pytest.raises(Damaged):
        read(b"\xff\xff\xff\xff" + body)


@given(entries)
def test_the_state_is_the_same_with_and_without_what_is_left_out(given_entries: list[Entry]) -> None:
    bound = [entry for entry in given_entries if entry.lease]
    free = [entry for entry in given_entries if not entry.lease]
    assert state_hash(kept(free)) == state_hash(free)
    assert kept(bound) == []


def test_what_belongs_to_a_group_a_process_or_the_directory_itself_is_left_out() -> None:
    out = [
        *(records.DIRECTORY_ID, cluster_records.CA, cluster_records.ETCD_CA, cluster_records.TOKEN),
        *(cluster_records.LOCK, cluster_records.LEADER, cluster_records.manager_key("m1")),
        *(cluster_records.link_key("cusco"), records.cursor_key("cusco")),
    ]
    assert kept([Entry(key, b"x", 1) for key in out]) == []
    assert kept([Entry(records.account_key(USER), b"x", 1, lease=3)]) == []
    stays = [records.account_key(USER), records.REGISTRATION, records.invite_key("c"), records.session_key(USER, "t")]
    stays += [cluster_records.OWN_SITE, records.site_key("cusco"), records.SEVERAL]
    assert [entry.key for entry in kept([Entry(key, b"x", 1) for key in stays])] == stays
    assert kept([Entry(records.presence_key(USER), b"x", 1, lease=3)]) != [], "each account has its presence"


@pytest.mark.parametrize("status", ["online", "offline"])
def test_everybody_comes_back_offline_where_they_were_under_their_counter(status: str) -> None:
    stored = msgspec.structs.replace(ONLINE, status=status)
    ((key, value),) = revived([(records.presence_key(USER), encode(stored))], sessions=False)
    assert key == records.presence_key(USER)
    assert decode(value, Presence) == msgspec.structs.replace(ONLINE, status="offline")


@given(st.booleans())
def test_log_ins_come_back_only_if_they_are_asked_for(sessions: bool) -> None:
    pairs = [(records.session_key(USER, "t"), b"s"), (records.use_key(USER, "t"), b"u"), ("account/a", b"1")]
    pairs += [(records.ending_key(USER, "t"), b"e"), (records.revocation_key(USER, "f"), b"r")]
    assert list(revived(pairs, sessions=sessions)) == (pairs if sessions else pairs[2:])


def test_presence_that_is_none_is_noticed() -> None:
    with pytest.raises(Damaged):
        list(revived([(records.presence_key(USER), b"[]")], sessions=False))


def test_the_ca_s_key_gets_into_no_log() -> None:
    assert "secret" not in repr(manifest(0))
