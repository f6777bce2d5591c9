from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("sessions_app", "0012_what_clients_are_told"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="is_service",
            field=models.BooleanField(
                default=False,
                help_text="Of a program: it has API keys, and nobody signs in to it. It is never staff.",
                verbose_name="service account",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("is_service", False), models.Q(("is_staff", False), ("is_superuser", False)), _connector="OR"
                ),
                name="no_service_account_is_staff",
                violation_error_message="A service account is neither staff nor superuser.",
            ),
        ),
    ]
