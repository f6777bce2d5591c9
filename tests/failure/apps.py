from django.apps import AppConfig


class FailureConfig(AppConfig):
    name = "tests.failure"
    label = "tests_failure"
