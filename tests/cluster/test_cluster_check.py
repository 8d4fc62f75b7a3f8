"""`otd cluster check` on an installation that is well, and on one that is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.adapters import postgresql
from tests.cluster.house import House, house
from tests.values import MINUTE
from tests.waiting import until

pytestmark = pytest.mark.cluster


def checked(installation: House, **environment: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the lines by kind and name."""
    done = subprocess.run(
        [sys.executable, "-m", "otd", "cluster", "check", "--json"],
        env={**installation.environment, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr, done.stderr
    lines = json.loads(done.stdout)["checks"] if done.stdout else []
    return done.returncode, {f"{line['kind']} {line['name']}": line for line in lines} | {"stderr": done.stderr}


def test_all_is_well_and_what_is_not_is_named_with_its_mend(tmp_path: Path) -> None:
    with postgresql.database() as url, house(tmp_path, database=url, relays={"relay-a": "hq"}) as installation:
        code, lines = checked(installation)
        assert code == 1
        assert "start a worker" in lines["queue otd.refresh"]["mend"]
        assert lines["broker workers"]["ok"]

        installation.worker("one")
        installation.relay("relay-a")
        installation.until_everything_is_shown("the lists")
        until(lambda: checked(installation)[0] == 0, MINUTE, "a clean check")

        code, lines = checked(installation, OTD_SECRET_BROKER="amqp://guest:wrong@127.0.0.1:5672")
        assert code == 1
        assert lines["broker workers"]["mend"] == "check the secret"
        assert "wrong@" not in str(lines)

        installation.relays["relay-a"].end()
        until(lambda: not checked(installation)[1]["relays all"]["ok"], MINUTE, "the gone relay")
        assert "gone: relay-a" in checked(installation)[1]["relays all"]["result"]
