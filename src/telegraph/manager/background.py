"""Background tasks of a manager, which have no end of their own."""

from collections.abc import Awaitable, Callable

from telegraph.supervision import supervise


async def keep_running(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Runs work again and again until cancelled; after an error, a second later."""

    async def again() -> None:
        while True:
            await work()

    await supervise(name, again)
