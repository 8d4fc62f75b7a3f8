"""People are told before they walk in: what is wrong with a button, once, and once that it is right again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from otd.deliveries import condition
from otd.lab.scene import Scene
from otd.model import HOUSE
from otd.settings import load
from otd.wiring import Centre
from tests.adapters.post import PostOffice, Receiver, receiver
from tests.waiting import until

SOON = timedelta(seconds=120)


class House:
    """OTD on the lab, with a mail server and a webhook to tell."""

    def __init__(self, scene: Scene, office: PostOffice, hook: Receiver) -> None:
        self.scene, self.office, self.hook = scene, office, hook
        scene.config.write_text(
            scene.config.read_text()
            + "\n[alerts]\n"
            + 'patience = "1s"\n'
            + f'mail_server = "{office.address}"\nmail_tls = "none"\n'
            + 'mail_from = "otd@contoso.example"\nmail_to = ["av@contoso.example"]\n'
            + f'webhook = "{hook.url}"\n'
        )
        self.centre = Centre(load(scene.config, {}))

    def look(self) -> None:
        """Have the guard look now."""
        self.centre.store.hint("guard", HOUSE)
        self.centre.executor.wake()

    def mailed(self, event: str, cause: str) -> bool:
        self.look()
        word = "over: " if event == "cleared" else ""
        return any(word in mail["Subject"] and cause in mail.get_content() for mail in self.office.taken)

    def hooked(self, event: str, cause: str) -> bool:
        self.look()
        return any((one["event"], one["cause"]) == (event, cause) for one in self.hook.alerts)

    def confirmed(self) -> bool:
        return all(condition(state) == "confirmed" for state in self.centre.store.endpoints())


@pytest.fixture
def house(scene: Scene, tmp_path: Path) -> Iterator[House]:
    with PostOffice() as office, receiver() as hook:
        house = House(scene, office, hook)
        house.centre.start()
        try:
            yield house
        finally:
            house.centre.stop()


def test_a_button_that_will_be_missing_is_told_with_its_cause_and_that_it_is_there_again(house: House) -> None:
    scene, name = house.scene, "boardroom-codec"
    until(house.confirmed, SOON, "the first lists")
    house.hook.server.stop()  # so that the webhook cannot be told at once
    scene.codecs[name].stop()
    scene.mailbox("boardroom").move(scene.ids["Quarterly numbers"], scene.now + timedelta(minutes=11))
    until(lambda: house.mailed("raised", "endpoint_unreachable"), SOON, "the mail")
    assert not house.hook.asked
    house.hook.server.start()
    until(lambda: house.hooked("raised", "endpoint_unreachable"), SOON, "the webhook")
    (alert,) = [one for one in house.hook.alerts if one["stage"] == "endpoint"]
    assert alert["thing"] == f"endpoint:{name}"
    assert "a meeting with Join starts at" in alert["detail"]
    scene.codecs[name].start()
    house.centre.store.unpark("deliver", name)
    until(lambda: house.hooked("cleared", "endpoint_unreachable"), SOON, "its end by webhook")
    until(lambda: house.mailed("cleared", "endpoint_unreachable"), SOON, "its end by mail")
    told = [one for one in house.hook.alerts if one["cause"] == "endpoint_unreachable"]
    assert [one["event"] for one in told] == ["raised", "cleared"]
    assert told[1]["note"] == "its list is confirmed"
    for private in ("Quarterly", "447120053", *scene.passwords.values()):
        assert all(private.encode() not in asked.body for asked in house.hook.asked)
        assert all(private.encode() not in raw for raw in house.office.raw)
