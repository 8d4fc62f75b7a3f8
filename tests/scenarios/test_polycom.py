"""Polycom endpoints fetch their lists from whichever relay they reach, and show what the calendar says."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from otd.deliveries import condition
from otd.lab.certificates import self_signed
from otd.lab.faults import status
from otd.lab.polycom import PolycomEndpoint, Registration
from otd.lab.scene import Scene
from otd.relay.face.credentials import new_password
from otd.settings import load
from otd.wiring import Centre
from tests.scenarios.conftest import wanted
from tests.waiting import until

SOON = timedelta(seconds=120)
POLL = timedelta(milliseconds=300)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@pytest.fixture
def faces(scene: Scene) -> tuple[str, str]:
    """Both relays get a face, and the boardroom an HDX; the addresses of the faces."""
    certificate = self_signed("otd-face")
    (scene.folder / "face.pem").write_text(certificate.key + certificate.pem)
    text = scene.config.read_text()
    ports = (free_port(), free_port())
    for relay, port in zip(("relay-a", "relay-b"), ports, strict=True):
        face = f'face = "127.0.0.1:{port}"\nface_certificate = "face.pem"\n'
        text = text.replace(f'[relays.{relay}]\npool = "hq"\n', f'[relays.{relay}]\npool = "hq"\n{face}')
    text += '[endpoints.huddle-hdx]\nkind = "polycom"\nmodel = "hdx"\npool = "hq"\nrooms = ["boardroom"]\n'
    scene.config.write_text(text)
    return (f"https://127.0.0.1:{ports[0]}", f"https://127.0.0.1:{ports[1]}")


@pytest.fixture
def centre(scene: Scene, faces: tuple[str, str]) -> Iterator[Centre]:
    centre = Centre(load(scene.config, {}))
    centre.start()
    yield centre
    centre.stop()


def registered(scene: Scene, centre: Centre, faces: tuple[str, ...]) -> Registration:
    password = new_password()
    centre.store.set_login("huddle-hdx", password.hashed)
    centre.executor.wake()
    return Registration(urls=faces, user="huddle-hdx", password=password.clear, email=scene.address("boardroom"))


def starts(endpoint: PolycomEndpoint) -> set[datetime]:
    return {meeting.start for meeting in endpoint.meetings}


def test_an_hdx_shows_what_the_calendar_says_and_follows_it(
    scene: Scene, centre: Centre, faces: tuple[str, str]
) -> None:
    with PolycomEndpoint(profile="hdx", registration=registered(scene, centre, faces), interval=POLL) as endpoint:
        until(lambda: starts(endpoint) == wanted(scene, "boardroom"), SOON, "the meetings")
        until(lambda: condition(centre.store.endpoint("huddle-hdx")) == "confirmed", SOON, "the confirmation")
        numbers = {number.address for meeting in endpoint.meetings for number in meeting.numbers}
        assert "447120053.1182045337@t.plcm.vc" in numbers
        scene.mailbox("boardroom").cancel(scene.ids["Supplier call"])
        until(lambda: starts(endpoint) == wanted(scene, "boardroom"), SOON, "the cancellation")
        assert endpoint.complaints == ()


def test_either_relay_answers_and_one_may_be_gone(scene: Scene, centre: Centre, faces: tuple[str, str]) -> None:
    with PolycomEndpoint(profile="gs", registration=registered(scene, centre, faces[1:]), interval=POLL) as endpoint:
        until(lambda: starts(endpoint) == wanted(scene, "boardroom"), SOON, "the meetings")
        centre.cut_relay("relay-a")
        scene.mailbox("boardroom").cancel(scene.ids["Supplier call"])
        until(lambda: starts(endpoint) == wanted(scene, "boardroom"), SOON, "the cancellation through the other relay")


def test_a_revoked_password_is_refused(scene: Scene, centre: Centre, faces: tuple[str, str]) -> None:
    with PolycomEndpoint(profile="gs", registration=registered(scene, centre, faces), interval=POLL) as endpoint:
        until(lambda: endpoint.established, SOON, "the registration")
        centre.store.set_login("huddle-hdx", "")
        centre.executor.wake()
        until(lambda: not endpoint.established, SOON, "the refusal")


def test_lists_are_served_after_a_restart_before_any_calendar_was_read(scene: Scene, faces: tuple[str, str]) -> None:
    centre = Centre(load(scene.config, {}))
    centre.start()
    registration = registered(scene, centre, faces)
    with PolycomEndpoint(profile="gs", registration=registration, interval=POLL) as endpoint:
        until(lambda: starts(endpoint) == wanted(scene, "boardroom"), SOON, "the meetings")
    centre.stop()
    scene.graph.faults.put(status(500))  # nothing can be read from now on
    centre = Centre(load(scene.config, {}))
    centre.start()
    with PolycomEndpoint(profile="gs", registration=registration, interval=POLL) as endpoint:
        until(lambda: starts(endpoint) == wanted(scene, "boardroom"), SOON, "the meetings from the disk")
    centre.stop()
