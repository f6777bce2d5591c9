from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from sessions_app.api.authentication import user_of

from .messages import number_of
from .serializers import StateSerializer, StatesSerializer, WantedStateSerializer
from .view import RoomApiView, client_of, count

EXPECTED = "expected_version"


class StatesView(RoomApiView):
    @extend_schema(responses=StatesSerializer)
    def get(self, request: Request, id: str) -> Response:
        """All that a room shares"""
        return Response({"results": [state.as_dict() for state in self.room(request, id).state.all()]})


class StateView(RoomApiView):
    @property
    def queries(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({EXPECTED}) if self.request.method == "DELETE" else frozenset()

    @extend_schema(operation_id="rooms_state_retrieve_one", responses=StateSerializer)
    def get(self, request: Request, id: str, key: str) -> Response:
        """One value that a room shares"""
        return Response(self.room(request, id).state.get(key).as_dict())

    @extend_schema(request=WantedStateSerializer, responses=StateSerializer)
    def put(self, request: Request, id: str, key: str) -> Response:
        """Set one value that a room shares

        With `expected_version` only while it is at that version; otherwise 409, with the `value` and `version`
        that are there.
        """
        wanted = WantedStateSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        count(request)
        put = self.room(request, id).state.set(
            key,
            wanted.validated_data["value"],
            user_of(request),
            expected_version=wanted.validated_data.get(EXPECTED),
            client=client_of(request),
        )
        return Response(put.as_dict())

    @extend_schema(request=None, responses={204: None}, parameters=[OpenApiParameter(EXPECTED, int)])
    def delete(self, request: Request, id: str, key: str) -> Response:
        """Remove one value that a room shares"""
        count(request)
        expected = number_of(request, EXPECTED)
        self.room(request, id).state.remove(key, user_of(request), expected_version=expected)
        return Response(status=204)
