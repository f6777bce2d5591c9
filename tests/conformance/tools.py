"""Found by autodiscovery, like any app's: the fixtures register themselves."""

from . import content, conversation, prompts, resources, rounds, stateless  # noqa: F401
