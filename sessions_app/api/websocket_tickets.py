from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from sessions_app.models import WebSocketTicket
from sessions_app.models.ticket import LIFETIME
from sessions_app.transport.guard import SUBPROTOCOL

from .authentication import principal_of
from .strict import StrictSerializer
from .view import ApiView


class NothingSerializer(StrictSerializer):
    """There is nothing to say."""


class WebSocketTicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField(help_text="Good for one handshake.")
    expires_at = serializers.DateTimeField()
    expires_in = serializers.IntegerField(help_text="Seconds.")
    url = serializers.CharField(help_text="Where to connect to.")
    subprotocols = serializers.ListField(child=serializers.CharField(), help_text="What to offer there.")


class WebSocketTicketsView(ApiView):
    @extend_schema(
        operation_id="websocket_tickets_create", request=None, responses={201: WebSocketTicketSerializer}
    )
    def post(self, request: Request) -> Response:
        """Get a ticket for a WebSocket

        For pages, which can send no header with a handshake: `new WebSocket(url, subprotocols)`. The socket may do
        what this request may, for as long as that may do it.
        """
        NothingSerializer(data=request.data).is_valid(raise_exception=True)
        ticket, token = WebSocketTicket.mint(principal_of(request))
        return Response(
            {
                "ticket": token.value,
                "expires_at": ticket.expires_at,
                "expires_in": int(LIFETIME.total_seconds()),
                "url": f"{settings.CONFIG.origin.replace('http', 'ws', 1)}/ws/mcp",
                "subprotocols": [SUBPROTOCOL, token.value],
            },
            status=201,
        )
