"""An attribute that a node has only while its store is open."""

from typing import Generic, TypeVar

from telegraph.errors import NotLoggedIn

T = TypeVar("T")


class WhileOpen(Generic[T]):
    """Reading it while the store is locked raises NotLoggedIn: nothing of before is left for anybody."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._slot = f"while_open {name}"

    def __get__(self, node: object, owner: type) -> T:
        try:
            found: T = node.__dict__[self._slot]
        except KeyError:
            raise NotLoggedIn from None
        return found

    def __set__(self, node: object, value: T) -> None:
        node.__dict__[self._slot] = value

    @staticmethod
    def forget(node: object) -> None:
        """The store is locked: all such attributes of the node are gone."""
        for name in [name for name in node.__dict__ if name.startswith("while_open ")]:
            del node.__dict__[name]
