from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("tools_app", "0006_tool_switch"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="toolcall",
            options={
                "ordering": ("-started_at", "-id"),
                "permissions": [
                    ("export_toolcall", "Can export the record of tool calls"),
                    ("view_arguments", "Can view what the record says of arguments"),
                ],
            },
        ),
    ]
