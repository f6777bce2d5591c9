"""One publish reaching every live end: today, the `subscriptions/listen` streams of this process."""

import asyncio
import logging

from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.subscriptions import ServerEvent

logger = logging.getLogger(__name__)


class Bus(InMemorySubscriptionBus):
    """The SDK's bus, which code on any thread may publish on."""

    def __init__(self) -> None:
        super().__init__()
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self) -> None:
        """Deliver on the running loop. Called once, when the server starts."""
        self._loop = asyncio.get_running_loop()

    def publish_soon(self, event: ServerEvent) -> None:
        """From synchronous code, best in `transaction.on_commit`. Without a server there is nobody to tell."""
        if self._loop is not None and not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self.publish(event), self._loop)


bus = Bus()
