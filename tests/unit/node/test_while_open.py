import pytest

from telegraph.errors import NotLoggedIn
from telegraph.node.while_open import WhileOpen


class House:
    lamp = WhileOpen[str]()
    table = WhileOpen[int]()

    def __init__(self) -> None:
        self.roof = "red"


def test_what_is_there_while_open_is_refused_before_and_gone_afterwards() -> None:
    house = House()
    with pytest.raises(NotLoggedIn):
        _ = house.lamp
    house.lamp, house.table = "lit", 4
    assert (house.lamp, house.table) == ("lit", 4)

    WhileOpen.forget(house)

    with pytest.raises(NotLoggedIn):
        _ = house.lamp
    with pytest.raises(NotLoggedIn):
        _ = house.table
    assert house.roof == "red"


def test_two_nodes_do_not_share_it() -> None:
    mine, yours = House(), House()
    mine.lamp = "lit"
    with pytest.raises(NotLoggedIn):
        _ = yours.lamp
