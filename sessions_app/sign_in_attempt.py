"""One try at a user name and a password: limited before anything is hashed, and counted if it fails."""

from collections.abc import Sequence

from django.conf import settings
from django.utils.crypto import salted_hmac

from .admission import refuse
from .limits import SIGN_IN_ACCOUNT, SIGN_IN_ADDRESS, Bucket
from .models import FamiliarNetwork, User
from .sign_in_log import note_too_many
from .state import state


class SignInAttempt:
    """Counted as a failure until it succeeded: of many at the same moment no more get through than may fail."""

    def __init__(self, username: str, network: str) -> None:
        self._username = username
        self._network = network
        self._buckets: Sequence[Bucket] = ()

    def begin(self) -> None:
        """Raises: RateLimited. The answer is the same whether there is such a user or not."""
        buckets = [Bucket(SIGN_IN_ADDRESS, self._network)]
        if not FamiliarNetwork.objects.knows(self._username, self._network):
            buckets.append(Bucket(SIGN_IN_ACCOUNT, account(self._username)))
        admission = state.take(buckets)
        if admission.refused is not None:
            note_too_many(self._network, admission.refused.limit.name)
        refuse(admission)
        self._buckets = buckets

    def succeeded(self, user: User) -> None:
        state.give_back(self._buckets)
        FamiliarNetwork.objects.note(user, self._network)


def account(username: str) -> str:
    """What is counted by. People type passwords where names belong, and this goes to the shared state."""
    return salted_hmac("sign-in-account", username, secret=settings.SECRET_KEY, algorithm="sha256").hexdigest()[
        :32
    ]
