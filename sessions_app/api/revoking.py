from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from sessions_app.models.credential import Credential

from .authentication import principal_of
from .view import ApiView


class RevocableView(ApiView):
    """One credential, which its owner can take back."""

    model: ClassVar[type[Credential]]

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, id: int) -> Response:
        """It stops working at once, and its streams end."""
        mine = self.model.objects.valid().open_to(principal_of(request))
        if mine.filter(pk=id).revoke(f"by {request.user.get_username()}") != 1:
            raise NotFound
        return Response(status=204)
