from pathlib import Path

import pytest
from litestar.handlers import BaseRouteHandler
from litestar.testing import RequestFactory

from telegraph.errors import ForeignOrigin, WrongApiToken
from telegraph.node.api.browsers import Browsers
from telegraph.node.api.guard import LocalGuard

TOKEN, PORT = "secret-token", 8420
HANDLER = BaseRouteHandler("/")


def request(**headers: str) -> object:
    return RequestFactory().get("/", headers={"host": f"127.0.0.1:{PORT}", **headers})


def guard() -> LocalGuard:
    return LocalGuard(TOKEN, "abc", PORT)


def check(one: LocalGuard, **headers: str) -> None:
    one.check(request(**headers), HANDLER)  # type: ignore[arg-type]


def test_a_program_with_the_token_may_pass() -> None:
    check(guard(), authorization=f"Bearer {TOKEN}")


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ñ"])
def test_a_program_without_it_may_not(shown: str) -> None:
    with pytest.raises(WrongApiToken):
        check(guard(), authorization=shown)


def test_a_browser_passes_with_the_cookie_that_it_was_given_until_all_are_forgotten() -> None:
    one = guard()
    cookie = one.new_cookie()
    shown = f"{cookie.key}={cookie.value}"

    check(one, cookie=shown)
    one.forget_cookies()
    with pytest.raises(WrongApiToken):
        check(one, cookie=shown)


def test_scripts_cannot_read_the_cookie_and_other_sites_cannot_send_it() -> None:
    cookie = guard().new_cookie()

    assert cookie.httponly
    assert cookie.samesite == "strict"


def test_two_nodes_cookies_have_two_names() -> None:
    assert guard().cookie_name != LocalGuard(TOKEN, "xyz", PORT).cookie_name


def test_the_cookie_of_another_node_opens_nothing() -> None:
    foreign = LocalGuard(TOKEN, "abc", PORT).new_cookie()

    with pytest.raises(WrongApiToken):
        check(guard(), cookie=f"{foreign.key}={foreign.value}")


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", ""])
def test_a_name_that_was_rebound_to_loopback_is_refused(host: str) -> None:
    with pytest.raises(ForeignOrigin):
        check(guard(), host=host, authorization=f"Bearer {TOKEN}")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", f"https://127.0.0.1:{PORT}", "http://127.0.0.1:1"])
def test_another_web_site_is_refused_even_with_the_token(origin: str) -> None:
    with pytest.raises(ForeignOrigin):
        check(guard(), origin=origin, authorization=f"Bearer {TOKEN}")


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"[::1]:{PORT}", f"LOCALHOST:{PORT}"])
def test_the_nodes_own_page_may_pass(host: str) -> None:
    check(guard(), host=host, origin=f"http://localhost:{PORT}", authorization=f"Bearer {TOKEN}")


def test_a_browser_stays_known_when_the_node_starts_again(tmp_path: Path) -> None:
    first = LocalGuard(TOKEN, "abc", PORT, Browsers(tmp_path / "browsers"))
    cookie = first.new_cookie()

    check(LocalGuard(TOKEN, "abc", PORT, Browsers(tmp_path / "browsers")), cookie=f"{cookie.key}={cookie.value}")
    assert str(cookie.value) not in (tmp_path / "browsers").read_text()


def test_after_a_log_out_no_browser_is_known_any_more_not_even_after_a_restart(tmp_path: Path) -> None:
    first = LocalGuard(TOKEN, "abc", PORT, Browsers(tmp_path / "browsers"))
    cookie = first.new_cookie()
    first.forget_cookies()

    with pytest.raises(WrongApiToken):
        check(LocalGuard(TOKEN, "abc", PORT, Browsers(tmp_path / "browsers")), cookie=f"{cookie.key}={cookie.value}")


def test_a_link_lets_one_browser_in_and_only_for_a_while() -> None:
    now = 0.0
    one = LocalGuard(TOKEN, "abc", PORT, clock=lambda: now)
    early, late = (one.link("http://127.0.0.1:8420/").rpartition("/#/open/")[2] for _ in range(2))

    assert one.take_code(early)
    assert not one.take_code(early)
    assert not one.take_code("guess")
    now = 601.0
    assert not one.take_code(late)


def test_links_do_not_pile_up() -> None:
    one = LocalGuard(TOKEN, "abc", PORT)
    codes = [one.link("http://x").rpartition("/")[2] for _ in range(100)]

    assert not one.take_code(codes[0])
    assert one.take_code(codes[-1])


def test_what_other_servers_on_the_host_put_into_the_header_does_not_hide_the_cookie() -> None:
    one = guard()
    cookie = one.new_cookie()

    check(one, cookie=f'a="b;c; {{x: 1}}=[;{cookie.key}=stale; {cookie.key}={cookie.value}; ;=')
