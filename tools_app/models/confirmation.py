import secrets
from datetime import timedelta
from typing import Self

from django.db import models, transaction
from django.utils import timezone

from sessions_app.principal import Principal

LIFETIME = timedelta(minutes=10)
"""How long somebody may think about it."""


def new_code() -> str:
    return secrets.token_hex(4)


class ConfirmationQuerySet(models.QuerySet["Confirmation"]):
    def past(self) -> Self:
        return self.filter(expires_at__lte=timezone.now())


class Confirmation(models.Model):
    """That one caller is asked whether he wants one thing. Its code is a part of the question.

    Good once: whoever uses it deletes it, in the transaction of what was confirmed. An answer that is sent again
    finds no row, so the question has a new code, and the answer is to none that was asked.
    """

    caller = models.CharField(max_length=300)
    about = models.CharField(max_length=200)
    code = models.CharField(max_length=8, default=new_code)
    expires_at = models.DateTimeField(db_index=True)

    objects = ConfirmationQuerySet.as_manager()

    class Meta:
        db_table = "tools_confirmation"
        constraints = [models.UniqueConstraint(fields=["caller", "about"], name="one_question_at_a_time")]

    def __str__(self) -> str:
        return self.about

    @classmethod
    @transaction.atomic
    def ask(cls, principal: Principal, about: str) -> Self:
        """The one that is open, or a new one."""
        caller = f"{principal.account}/{principal.credential}"
        cls.objects.past().filter(caller=caller, about=about).delete()
        until = {"expires_at": timezone.now() + LIFETIME}
        return cls.objects.get_or_create(caller=caller, about=about, defaults=until)[0]

    def claim(self) -> bool:
        """Before what takes place outside of a transaction. Of many who have the answer, one gets True.

        From then on the question has another code, so the answer is to none that anybody is asked.
        """
        code = new_code()
        is_mine = self._mine().update(code=code) == 1
        self.code = code
        return is_mine

    def use(self) -> bool:
        """In the transaction of what was confirmed. False if it was used, or its time is over."""
        return self._mine().delete()[0] == 1

    def _mine(self) -> ConfirmationQuerySet:
        return type(self).objects.filter(pk=self.pk, code=self.code, expires_at__gt=timezone.now())
