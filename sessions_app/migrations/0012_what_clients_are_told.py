from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sessions_app", "0011_rotation_of_keys"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="revoked_message",
            field=models.CharField(
                blank=True, editable=False, help_text="What its holder is told.", max_length=100
            ),
        ),
        migrations.AddField(
            model_name="session",
            name="end_message",
            field=models.CharField(blank=True, help_text="What its client is told.", max_length=100),
        ),
        migrations.AddField(
            model_name="sessiontoken",
            name="revoked_message",
            field=models.CharField(
                blank=True, editable=False, help_text="What its holder is told.", max_length=100
            ),
        ),
        migrations.AddField(
            model_name="tokenfamily",
            name="revoked_message",
            field=models.CharField(
                blank=True, editable=False, help_text="What its holder is told.", max_length=100
            ),
        ),
    ]
