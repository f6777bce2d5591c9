from django.contrib.admin.apps import AdminConfig


class ControlRoomConfig(AdminConfig):
    """Django's admin, as our control room."""

    default_site = "project.control_room.site.ControlRoom"
