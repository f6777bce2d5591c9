"""A file that is as long as it likes: it leaves piece by piece, and is nowhere whole."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from django.utils import timezone


def download(name: str, extension: str, content_type: str, pieces: Iterator[str]) -> StreamingHttpResponse:
    """`name` is plain: it becomes a header."""
    filename = f"{name}-{timezone.now():%Y-%m-%d-%H%M%S}.{extension}"
    disposition = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return StreamingHttpResponse(flow(pieces), content_type=content_type, headers=disposition)


async def flow(pieces: Iterator[str]) -> AsyncIterator[str]:
    """One after another, each fetched on the request's own thread when the one before it has left.

    A plain iterator would be read to its end before the first byte leaves: Django has no other way under ASGI.
    """
    take = sync_to_async(lambda: next(pieces, None))
    while (piece := await take()) is not None:
        yield piece
