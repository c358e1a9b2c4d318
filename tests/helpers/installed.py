"""Programs that use the installed package."""

import os
import subprocess


def call(*command, **options):
    # Import the package from the installed wheel, not from the folder that the tests use.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env=environment, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
