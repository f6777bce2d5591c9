from django.apps import AppConfig


class ShopConfig(AppConfig):
    """Under a label of its own: a developer who follows the docs may well have an app called `shop`."""

    name = "tests.shop"
    label = "tests_shop"
