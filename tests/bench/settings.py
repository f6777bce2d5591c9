"""The project's own settings with the benchmark's two tools added: nothing of the gate is switched off."""

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS as PROJECT_APPS

INSTALLED_APPS = [*PROJECT_APPS, "tests.bench"]
