"""What is taken is taken as it is: strict JSON, known fields, a text where a text belongs."""

from collections.abc import Mapping
from typing import Any, NoReturn

from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType, ValidationError
from rest_framework.parsers import BaseParser

from sessions_app.transport import strict_json


class StrictJsonParser(BaseParser):
    """Raises: Unparsable (400), UnsupportedMediaType for a range over what is meant."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        if (media_type or "").partition(";")[0].strip().lower() != self.media_type:
            raise UnsupportedMediaType(media_type or "none")
        return strict_json.loads(stream.read())


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know, because a mistyped one would be ignored in silence."""

    def to_internal_value(self, data: Any) -> Any:
        known = [name for name, field in self.fields.items() if not field.read_only]
        if isinstance(data, Mapping) and not set(data) <= set(known):
            # What was sent is not repeated: it may be a secret.
            raise ValidationError({"non_field_errors": [f"Only these fields are known: {', '.join(known)}."]})
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A JSON string, as it came: numbers are not made into texts, and spaces are kept."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.refuse()
        text: str = super().to_internal_value(data)
        return text

    def refuse(self) -> NoReturn:
        raise ValidationError(self.error_messages["invalid"])
