"""The project's own settings with the suite's fixtures added: nothing of the gate is switched off."""

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS as PROJECT_APPS

INSTALLED_APPS = [*PROJECT_APPS, "tests.conformance"]
