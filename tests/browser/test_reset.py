"""The password was changed elsewhere, as by an administrator's reset: what opens what, and the ways on."""

from typing import Any

import requests
from playwright.sync_api import Page, expect
from screens import Screen
from talking import bubble, open_chat

from telegraph.testing.processes import PASSWORD

NEW = "a password set by somebody else"


def after_a_reset(screen: Screen, name: str) -> str:
    """Somebody's node is locked, and the managers know another password than it: the recovery code."""
    people = screen.people
    people.start(name, unattended=False)
    code: str = people.ask(name, "register", name)["recovery_code"]
    people.ask(name, "send", "bob", f"a memory of {name}")
    people.nodes[name].stop()
    with requests.Session() as http:
        http.trust_env = False  # another CA bundle of the environment would win
        http.verify = str(people.root / "manager" / "ca.pem")
        body: Any = {"username": name, "password": PASSWORD, "ip": "127.0.0.1", "port": 8000}
        http.headers["Authorization"] = f"Bearer {http.post(f'{people.url}/login', json=body).json()['token']}"
        http.post(f"{people.url}/password", json={"old": PASSWORD, "new": NEW}).raise_for_status()
    people.start(name, unattended=False)
    return code


def enter(page: Page, name: str, password: str) -> None:
    page.locator("input[name=username]").fill(name)
    page.locator("input[name=password]").fill(password)
    page.locator("form button").last.click()


def test_who_types_the_old_password_is_told_that_it_opens_the_messages_and_asked_for_the_new_one(
    screen: Screen,
) -> None:
    after_a_reset(screen, "greta")
    page = screen.blank()
    page.goto(screen.people.api("greta"))

    enter(page, "greta", PASSWORD)
    expect(page.get_by_role("region")).to_contain_text("What you typed just now still opens them.")
    expect(page.get_by_label("New password")).to_have_value("")
    enter(page, "greta", NEW)

    expect(page.get_by_role("heading", name="greta")).to_be_visible()
    open_chat(page, "bob")
    expect(bubble(page, "a memory of greta")).to_be_visible()


def test_who_types_the_new_password_is_asked_for_the_old_one_or_the_recovery_code(screen: Screen) -> None:
    code = after_a_reset(screen, "hector")
    page = screen.blank(language="es")
    page.goto(screen.people.api("hector"))

    enter(page, "hector", NEW)
    expect(page.get_by_role("alert")).to_contain_text("no abre los mensajes de este equipo")
    page.get_by_label("Contraseña anterior o código de recuperación").fill("ni uno ni otro")
    enter(page, "hector", NEW)
    expect(page.get_by_role("alert")).to_contain_text("no es la contraseña anterior ni el código")
    page.get_by_label("Contraseña anterior o código de recuperación").fill(code.lower())
    enter(page, "hector", NEW)

    expect(page.get_by_role("heading", name="hector")).to_be_visible()
    open_chat(page, "bob")
    expect(bubble(page, "a memory of hector")).to_be_visible()


def test_who_has_neither_begins_anew_with_a_new_code(screen: Screen) -> None:
    after_a_reset(screen, "ines")
    page = screen.blank(phone=True)
    page.goto(screen.people.api("ines"))

    enter(page, "ines", NEW)
    page.get_by_label("I have neither").check()
    enter(page, "ines", NEW)

    expect(page.get_by_role("heading", name="Keep this recovery code")).to_be_visible()
    page.get_by_role("button", name="I have written it down").click()
    expect(page.get_by_role("heading", name="No conversations yet")).to_be_visible()
