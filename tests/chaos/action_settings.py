"""The suite's settings with a cloud of files (tests/fixtures/cloud.py) and its kinds of actions."""

from governance.settings.test import *  # noqa: F403

ACTIONS_CLOUDS = "tests.fixtures.cloud.open_file_cloud"
ACTIONS_EXECUTORS = ["tests.fixtures.cloud.EXECUTORS"]
