"""The project's own settings, with tools whose effects can be heard in another process."""

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS as PROJECT_APPS

INSTALLED_APPS = [*PROJECT_APPS, "tests.shop", "tests.failure"]
