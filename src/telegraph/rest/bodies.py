"""Reading bodies: JSON by msgspec, strictly. Litestar alone would take the text "8000" for a number."""

from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Request
from litestar.dto import AbstractDTO, DTOConfig
from litestar.dto.data_structures import DTOFieldDefinition
from litestar.typing import FieldDefinition

from telegraph.errors import UnsupportedMedia
from telegraph.rest.errors import malformed


class StrictJson(AbstractDTO[Any]):
    """Litestar's hook for decoding a body. It changes nothing about the types, so most of it says so."""

    config = DTOConfig()

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Iterator[DTOFieldDefinition]:  # type: ignore[override] # noqa: ARG003 - Litestar's signature
        """No fields are transferred: the type is decoded as it is."""
        return iter(())

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:  # noqa: ARG003 - Litestar's signature
        """See above."""
        return False

    @classmethod
    def create_for_field_definition(cls, field_definition: Any, handler_id: str, backend_cls: Any = None) -> None:
        """No transfer model is needed."""

    @classmethod
    def create_openapi_schema(cls, field_definition: Any, handler_id: str, schema_creator: Any) -> Any:  # noqa: ARG003 - Litestar's signature
        """The type's own schema."""
        return schema_creator.for_field_definition(field_definition)

    def decode_bytes(self, value: bytes) -> Any:
        """Decodes a body; an empty one is null, which only an optional body can be.

        Raises:
            MalformedBody: no JSON, or of another shape.
        """
        field = self.asgi_connection.route_handler.parsed_data_field
        try:
            return msgspec.json.decode(value or b"null", type=field.annotation if field else Any)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise malformed(problem) from None


async def require_json(request: Request[Any, Any, Any]) -> None:
    """Before a body is read: it must call itself JSON, if it calls itself anything.

    Raises:
        UnsupportedMedia: it does not.
    """
    kind = request.headers.get("content-type", "")
    media_type = kind.partition(";")[0].strip().lower()
    if media_type and media_type != "application/json" and _has_body(request):
        raise UnsupportedMedia


def _has_body(request: Request[Any, Any, Any]) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
