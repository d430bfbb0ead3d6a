"""Which manager to ask first. Pure: URLs and seconds in, an order out."""

from collections.abc import Iterable, Mapping


def distinct(*lists: Iterable[str]) -> list[str]:
    """All URLs of the lists, each once, the earliest place counts."""
    return list(dict.fromkeys(url for urls in lists for url in urls))


def ranked(measured: Mapping[str, float | None]) -> list[str]:
    """Those that answered, the quickest first; equally quick ones keep their order.

    ``measured`` maps each URL to the seconds that its answer took, or to None if there was none.
    """
    answered = [(seconds, url) for url, seconds in measured.items() if seconds is not None]
    return [url for _, url in sorted(answered, key=lambda pair: pair[0])]
