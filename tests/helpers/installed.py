"""Programs that use the package as it is installed."""

import os
import subprocess


def call(*command, **options):
    # The package is where the wheel is installed, not where the tests found it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env=environment, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
