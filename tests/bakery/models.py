from typing import Self

from django.conf import settings
from django.db import models


class OrderQuerySet(models.QuerySet["Order"]):
    def of(self, user_id: int) -> Self:
        return self.filter(buyer_id=user_id)


class Order(models.Model):
    buyer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    item = models.CharField(max_length=50)
    quantity = models.PositiveIntegerField()

    objects = OrderQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.quantity} × {self.item}"
