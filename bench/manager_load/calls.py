"""One caller of a manager by HTTPS, over one connection."""

import http.client
import json
import ssl
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit


class Caller:
    """Use it as a context manager."""

    def __init__(self, url: str, ca: Path, timeout: float = 10.0) -> None:
        context = ssl.create_default_context(cafile=str(ca))
        context.check_hostname = False
        where = urlsplit(url)
        self._connection = http.client.HTTPSConnection(
            where.hostname or "", where.port, context=context, timeout=timeout
        )

    def try_call(self, method: str, path: str, body: object = None, token: str = "") -> tuple[int, Any]:
        """Status and body of an answer.

        Raises:
            OSError, http.client.HTTPException: none came.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            self._connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def call(self, method: str, path: str, body: object = None, token: str = "") -> Any:
        """The body of a good answer.

        Raises:
            RuntimeError: it is none.
        """
        status, said = self.try_call(method, path, body, token)
        if status not in (200, 201):
            raise RuntimeError(f"{status} {said}")
        return said

    def join(self, name: str) -> str:
        """Registers somebody and logs in: the token."""
        body = {"username": name, "password": "a password for benches", "ip": "10.0.0.1", "port": 8000}
        self.call("POST", "/register", body)
        return str(self.call("POST", "/login", body)["token"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
