"""The project's own settings on a throw-away data directory, with a small shop of tools to call."""

import atexit
import os
import shutil
import tempfile

if "CONCIERGE_DATA_DIR" not in os.environ:
    os.environ["CONCIERGE_DATA_DIR"] = tempfile.mkdtemp(prefix="concierge-tests-")
    atexit.register(shutil.rmtree, os.environ["CONCIERGE_DATA_DIR"], ignore_errors=True)

from project.settings import *  # noqa: F403
from project.settings import CONFIG, DATABASES, INSTALLED_APPS, LOGGING

INSTALLED_APPS = [*INSTALLED_APPS, "tests.shop"]
if "bakery" not in INSTALLED_APPS:  # a developer who follows docs/tools.md has one, with the same tools
    INSTALLED_APPS.append("tests.bakery")
# Hashing is slow on purpose; signing in is not what most tests are about.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Two runs at once must not drop each other's.
TEST_DATABASE = f"test_concierge_{os.getpid()}"
# No test cuts the power, so none has to wait until its rows are on the disk.
OPTIONS = DATABASES["default"]["OPTIONS"]
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, because pool threads cannot share a database in memory.
    TEST_DATABASE = str(CONFIG.data_dir / f"{TEST_DATABASE}.sqlite3")
    OPTIONS["init_command"] = OPTIONS["init_command"].replace("synchronous=FULL", "synchronous=OFF")
else:
    OPTIONS["options"] += " -c synchronous_commit=off"
DATABASES["default"]["TEST"] = {"NAME": TEST_DATABASE}
# Each test's client would look through a thousand files anew; here they are looked for when they are asked for.
SERVESTATIC_AUTOREFRESH = True
# Django's test runners keep what is mailed.
MAIL_IS_SENT = True
# Quiet: what is logged is for caplog, which listens at the root.
LOGGING = {"version": 1, "disable_existing_loggers": False}  # noqa: F811
