"""Endpoints asked from the centre through relays that alone reach them, over a real broker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.adapters import postgresql
from tests.cluster.house import SOON, House, house
from tests.waiting import until

pytestmark = pytest.mark.cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    if request.param == "sqlite":
        with house(tmp_path) as found:
            yield found
    else:
        with postgresql.database() as url, house(tmp_path, database=url) as found:
            yield found


def otd(house: House, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "otd", "endpoints", *arguments, "--json"],
        env=house.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_endpoints_are_probed_shown_and_compared_by_relays_elsewhere(installation: House) -> None:
    processes = [installation.worker("one"), installation.relay("relay-a"), installation.relay("relay-b")]
    installation.until_everything_is_shown("the lists")
    codecs = installation.scene.codecs.values()
    until(lambda: all(codec.puts for codec in codecs), SOON, "the puts")  # noted once they are answered
    puts = {name: len(codec.puts) for name, codec in installation.scene.codecs.items()}

    found = otd(installation, "probe", "boardroom-codec")
    assert (found["answers"], found["lacks"], found["role"]) == (True, [], "admin")
    assert found["looked"] in ("relay-a", "relay-b")
    assert found["certificate"] == installation.scene.codecs["boardroom-codec"].fingerprint

    shown = otd(installation, "show", "boardroom-codec")
    assert shown["reading_it_now"] == "worked"
    assert {row["mark"] for row in shown["list"]} == {"="}
    titles = [row["title"] for row in shown["list"]]
    assert "Quarterly numbers" in titles

    compared = otd(installation, "compare")
    assert (compared["total"]["worse"], compared["total"]["unread"]) == (0, 0)
    assert compared["total"]["same"] >= len(titles)
    assert {name: len(codec.puts) for name, codec in installation.scene.codecs.items()} == puts

    for process in processes[1:]:
        process.end()
    (lack,) = otd(installation, "probe", "boardroom-codec")["lacks"]
    assert lack["text"] == "no relay of its pool is alive"
    processes[0].end()
    (lack,) = otd(installation, "probe", "boardroom-codec", "--within", "5s")["lacks"]
    assert lack["text"] == "nobody works on what is due"
    said = "".join(process.log for process in processes)
    assert "Traceback" not in said
    assert not [title for title in titles if title in said]
