"""What a part of a path may be, beside what Django knows. Imported by whoever names one."""

from django.urls import register_converter
from django.urls.converters import PathConverter


class Anything(PathConverter):
    """A preference's key may have slashes and line breaks."""

    regex = r"[\s\S]+"


register_converter(Anything, "anything")
