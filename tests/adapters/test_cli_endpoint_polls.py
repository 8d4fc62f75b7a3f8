"""`otd endpoints polls` beside a face that simulated Polycom endpoints poll."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import cast

from otd.lab.certificates import self_signed
from otd.lab.polycom import PolycomEndpoint, Registration
from otd.model import Delivery
from otd.relay.face.credentials import new_password
from otd.relay.lists import Lists
from otd.relay.service import Relay
from otd.settings import load
from otd.wiring import SystemClock, face_lists, serve_face
from tests.adapters.cli import KEY, Otd, otd
from tests.scenarios.test_polycom import free_port
from tests.values import a_booking, a_delivery, an_endpoint

__all__ = ["otd"]


def write_settings(folder: Path) -> str:
    port, certificate = free_port(), self_signed("otd-face")
    (folder / "face.pem").write_text(certificate.key + certificate.pem)
    (folder / "rooms" / "board").mkdir(parents=True)
    (folder / "otd.toml").write_text(f"""
[calendars.post]
kind = "files"
folder = "rooms"
[pools.hq]
[relays.hq-1]
pool = "hq"
face = "127.0.0.1:{port}"
face_certificate = "face.pem"
[rooms.board]
calendar = "post"
[endpoints.board-hdx]
kind = "polycom"
model = "hdx"
pool = "hq"
rooms = ["board"]
[endpoints.board-gs]
kind = "polycom"
model = "gs"
pool = "hq"
rooms = ["board"]
""")
    secrets = folder / "secrets.toml"
    secrets.write_text(f'database-key = "{KEY}"\n')
    secrets.chmod(0o600)
    return f"https://127.0.0.1:{port}"


class Quiet:
    """As much of a relay as a face needs."""

    name = "hq-1"

    def fetched(self, fetch: object) -> None:
        pass

    def shows(self, expires: object) -> None:
        pass


def a_list(name: str, password_hash: str) -> Delivery:
    endpoint = an_endpoint(name=name, kind="polycom", username=name, password_hash=password_hash, mailbox="board")
    return a_delivery(endpoint=endpoint, bookings=(a_booking(),), valid_until=SystemClock().now().replace(year=2100))


def test_polls_refusals_sights_and_the_certificate_are_shown(otd: Otd, tmp_path: Path) -> None:
    url = write_settings(tmp_path)
    settings = load(tmp_path / "otd.toml", {})
    settings.run.state.mkdir(parents=True)
    lists = face_lists(settings, "hq-1")
    assert isinstance(lists, Lists)
    right = new_password()
    for name in ("board-hdx", "board-gs"):
        lists.put(a_list(name, right.hashed))
    lists.begin_fill({"board-hdx": 0, "board-gs": 0})
    face = serve_face(settings, "hq-1", lists, cast(Relay, Quiet()), SystemClock())
    try:
        for profile, user, password in (
            ("gs", "board-gs", "not this one"),
            ("gs", right.clear, "board-gs"),  # typed into the wrong field
            ("hdx", "board-hdx", right.clear),
        ):
            registration = Registration(urls=(url,), user=user, password=password, email="board")
            with PolycomEndpoint(profile=profile, registration=registration, interval=timedelta(hours=1)) as endpoint:
                endpoint.poll()
    finally:
        face.stop()
        lists.close()
    said = otd("endpoints", "polls", "--json")
    found = json.loads(said.out)
    assert said.code == 1
    assert right.clear not in said.out
    assert [(face["relay"], face["warning"]) for face in found["faces"]] == [("hq-1", "")]
    assert [(row["endpoint"], row["last"] is not None) for row in found["endpoints"]] == [
        ("board-hdx", True),
        ("board-gs", False),
    ]
    refused = {(row["endpoint"], row["why"]) for row in found["refused"]}
    assert refused == {("board-gs", "a wrong password"), ("", "a user name that no endpoint has")}
    assert {"GetFolder", "FindItem"} <= {row["operation"] for row in found["sights"]}
    shown = otd("endpoints", "polls", "--sights")
    assert "otd endpoints credentials board-gs" in shown.out
    assert "First sights" in shown.out
    assert "never" in shown.out


def test_without_a_face_it_says_so(otd: Otd, tmp_path: Path) -> None:
    write_settings(tmp_path)
    text = (tmp_path / "otd.toml").read_text()
    (tmp_path / "otd.toml").write_text("\n".join(line for line in text.splitlines() if not line.startswith("face")))
    said = otd("endpoints", "polls")
    assert said.code == 0
    assert "No relay has a face" in said.out


def test_a_certificate_that_cannot_be_read_is_a_warning(otd: Otd, tmp_path: Path) -> None:
    write_settings(tmp_path)
    (tmp_path / "face.pem").write_text("nothing")
    said = otd("endpoints", "polls", "--json")
    assert said.code == 1
    assert "cannot be read" in json.loads(said.out)["faces"][0]["warning"]
