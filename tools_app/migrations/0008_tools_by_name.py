from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("tools_app", "0007_arguments_of_the_record"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="toolpolicy",
            options={"ordering": ["tool"], "verbose_name": "tool"},
        ),
    ]
