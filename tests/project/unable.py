"""Settings for a server whose workers cannot start. What becomes of each is in FATE."""

import multiprocessing
import os
import signal

from tests.settings import *  # noqa: F403

if multiprocessing.parent_process() is not None:
    if os.environ["FATE"] == "is killed":
        os.kill(os.getpid(), signal.SIGKILL)
    raise RuntimeError("Not in a worker")
