"""What `resources/list` shows of a template: a resource that there is for the caller."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .capabilities import Resource


class Instance:
    """One resource of a template, as a list shows it. `name` is what it is sorted by."""

    def __init__(self, uri: str, name: str, title: str) -> None:
        self.uri = uri
        self.name = name
        self.title = title

    def wire_as(self, template: "Resource") -> dict[str, Any]:
        described = {name: value for name, value in template.wire.items() if name != "uriTemplate"}
        return {**described, "uri": self.uri, "name": self.name, "title": self.title}
