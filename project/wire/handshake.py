"""What a client is told when it does not open a WebSocket as it should (RFC 6455, section 4.2)."""

import logging
from http import HTTPStatus

from websockets.exceptions import InvalidHeader
from websockets.http11 import Response
from websockets.server import ServerProtocol
from websockets.typing import StatusLike


class Discreet(ServerProtocol):
    """`websockets`' parser. It would quote what is wrong with a handshake: a secret, maybe. This only names it."""

    def __init__(self, largest_message: int | None) -> None:
        super().__init__(max_size=largest_message, logger=logging.getLogger("uvicorn.error"))

    def reject(self, status: StatusLike, text: str) -> Response:
        """Also the application's own refusals, which keep their text. A client's mistake is never a 5xx."""
        if self.handshake_exc is None:
            return super().reject(status, text)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            status = HTTPStatus.BAD_REQUEST
        response = super().reject(status, reason_of(self.handshake_exc))
        response.headers["Sec-WebSocket-Version"] = "13"
        return response


def reason_of(error: Exception) -> str:
    if isinstance(error, InvalidHeader):
        return f"The {error.name} header is missing or malformed.\n"
    return "This does not open a WebSocket.\n"
