from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sessions_app", "0009_workers_and_refusals"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="addresses",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Networks that its requests may come from, such as 10.0.0.0/8. Empty: from anywhere.",
            ),
        ),
    ]
