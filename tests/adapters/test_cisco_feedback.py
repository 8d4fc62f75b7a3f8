"""Cisco endpoints tell a relay that they restarted: what is registered where, and what is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from otd import wiring
from otd.certificates import CertificateFiles
from otd.endpoints.cisco import CiscoDriver
from otd.endpoints.cisco_feedback import Slot as Slots
from otd.endpoints.cisco_feedback import Step, step
from otd.findings import notes
from otd.inbound import Server, serve
from otd.lab.certificates import self_signed
from otd.lab.codec import Codec
from otd.lab.codec_profiles import PROFILES as LAB_PROFILES
from otd.lab.codec_state import Slot
from otd.model import Endpoint, Facts
from otd.relay.feedback import Feedback, FeedbackApp
from otd.relay.memory import Memory
from otd.settings import load
from tests.adapters.test_cisco_driver import PASSWORD, NamedSecrets, a_codec, endpoint_of
from tests.adapters.test_cli_endpoints import write_settings
from tests.adapters.test_serve import free_port
from tests.contracts.driver import THREE, WITHIN
from tests.values import a_state
from tests.waiting import until

SOON = timedelta(seconds=15)
ELSEWHERE = "http://127.0.0.1:9/elsewhere"
BOOT = ("/Event/BootEvent",)
BOOT_AND_SYNC = ("/Event/BootEvent", "/Event/Bookings/SyncRequired")
PROFILES = ["tc7", "ce9.6", "ce9.15", "roomos10", "roomos11", "roomos26"]


class Relay:
    """What of a relay matters here: its driver, its addresses, and who called there."""

    def __init__(self, name: str = "relay1", *, memory: Memory | None = None, pool: str = "hq") -> None:
        self.memory = memory or Memory()
        self.told = Feedback(key=name.encode(), shared=b"house", pool=pool, registered=self.memory, quiet=timedelta(0))
        secrets = NamedSecrets(codec=f"otd:{PASSWORD}")
        self.driver = CiscoDriver(secrets=secrets, pins=self.memory, hooks=self.told, spacing=timedelta(0))
        self.server: Server | None = None

    def listen(self, certificate: CertificateFiles | None = None) -> Relay:
        self.server = serve(
            FeedbackApp(self.told), name="feedback", address="127.0.0.1", port=0, certificate=certificate
        )
        shown = self.server
        self.told.listening(shown.url, self_signed=lambda: shown.self_signed)
        return self

    def look(self, codec: Codec, mode: str = "deliver") -> Facts:
        return self.driver.facts(at(codec, mode), within=WITHIN)

    def stop(self) -> None:
        if self.server is not None:
            self.server.stop()


def at(codec: Codec, mode: str = "deliver") -> Endpoint:
    return endpoint_of(codec, mode=mode)


def urls(codec: Codec) -> dict[int, str]:
    return {number: slot.url for number, slot in codec.state.slots.items()}


def taken(codec: Codec, *numbers: int) -> None:
    """By another system."""
    for number in numbers:
        codec.state.slots[number] = Slot(url=ELSEWHERE, format="XML", expressions=("/Event/Bookings",))


@pytest.fixture
def relay() -> Iterator[Relay]:
    relay = Relay().listen()
    yield relay
    relay.stop()


@pytest.fixture
def codec() -> Iterator[Codec]:
    with a_codec("roomos11") as codec:
        yield codec


# --- registering ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_a_restart_is_told_by_every_software_line(relay: Relay, profile: str) -> None:
    with a_codec(profile) as codec:
        assert relay.look(codec).feedback == ""
        name = at(codec).name
        assert urls(codec) == {4: relay.told.url(name)}
        codec.reboot()
        until(lambda: relay.told.take() == (name,), SOON, "the call")
        assert not codec.state.slots[4].failed


def test_nothing_but_restarts_is_told(relay: Relay, codec: Codec) -> None:
    relay.look(codec)
    codec.overwrite()
    relay.driver.put(at(codec), THREE, within=WITHIN)
    codec.stop()  # what was announced is posted by then
    assert relay.told.take() == ()


def test_roomos_26_also_tells_that_it_needs_its_list(relay: Relay) -> None:
    with a_codec("roomos26") as codec:
        relay.look(codec)
        assert codec.state.slots[4].expressions == BOOT_AND_SYNC


@pytest.mark.parametrize(
    ("before", "after", "expected"), [("roomos11", "roomos26", BOOT_AND_SYNC), ("roomos26", "roomos11", BOOT)]
)
def test_after_an_upgrade_or_a_downgrade_what_is_told_is_what_the_software_has(
    relay: Relay, before: str, after: str, expected: tuple[str, ...]
) -> None:
    with a_codec(before) as codec:
        relay.look(codec)
        codec.state.profile = LAB_PROFILES[after]
        codec.reboot()
        assert relay.look(codec).feedback == ""
        assert codec.state.slots[4].expressions == expected
        assert urls(codec) == {4: relay.told.url(at(codec).name)}


def test_a_registration_that_tells_something_else_is_made_again_even_where_it_failed(
    relay: Relay, codec: Codec
) -> None:
    relay.look(codec)
    codec.state.slots[4].expressions, codec.state.slots[4].failed = ("/Event/Bookings",), True
    assert relay.look(codec).feedback == "failed"
    assert (codec.state.slots[4].expressions, codec.state.slots[4].failed) == (BOOT, False)


@pytest.mark.parametrize(
    "shown",
    [
        ("/Event/Bookings/SyncRequired", "/Event/BootEvent"),
        ("Event BootEvent", "event/bookings/syncrequired"),
        (),  # it does not say
    ],
)
def test_the_same_in_another_notation_is_not_registered_again(relay: Relay, shown: tuple[str, ...]) -> None:
    url = relay.told.url("board")
    assert step({4: Slots(url=url, expressions=shown)}, "board", relay.told, BOOT_AND_SYNC) == Step()


def test_it_is_registered_once(relay: Relay, codec: Codec) -> None:
    relay.look(codec)
    codec.forget_log()
    relay.look(codec)
    assert [entry.method for entry in codec.log] == ["GET", "GET"]


def test_without_hooks_and_without_listening_nothing_is_asked(codec: Codec) -> None:
    relay = Relay()
    relay.look(codec)
    assert "/HttpFeedback" not in "".join(entry.path for entry in codec.log)
    assert urls(codec) == {}


def test_an_endpoint_that_is_observed_is_never_registered(relay: Relay, codec: Codec) -> None:
    for mode in ("observe", ""):
        relay.look(codec, mode)
    assert urls(codec) == {}


@pytest.mark.parametrize(
    ("others", "chosen"), [((), 4), ((4,), 2), ((2, 4), 1), ((3,), 4), ((1, 2), 4), ((1, 2, 3), 4), ((1, 4), 2)]
)
def test_the_first_free_slot_of_4_2_and_1_is_taken(
    relay: Relay, codec: Codec, others: tuple[int, ...], chosen: int
) -> None:
    taken(codec, *others)
    relay.look(codec)
    assert urls(codec) == {**dict.fromkeys(others, ELSEWHERE), chosen: relay.told.url(at(codec).name)}


@pytest.mark.parametrize("others", [(1, 2, 4), (1, 2, 3, 4)])
def test_where_none_is_free_nobody_is_displaced_and_a_note_says_so(
    relay: Relay, codec: Codec, others: tuple[int, ...]
) -> None:
    taken(codec, *others)
    for number in others:
        codec.state.slots[number].failed = True  # not even then
    facts = relay.look(codec)
    assert urls(codec) == dict.fromkeys(others, ELSEWHERE)
    assert facts.feedback == "full"
    assert "Deregister" in notes(a_state(facts=facts))[0].mend


def test_an_endpoint_that_does_not_say_what_its_slots_hold_is_not_written_to(relay: Relay, codec: Codec) -> None:
    name = at(codec).name
    assert step({}, name, relay.told, BOOT) == Step(why="refused")
    some = {3: Slots(), 4: Slots(url=ELSEWHERE)}  # nor a slot that it says nothing of
    assert step(some, name, relay.told, BOOT) == Step(why="full")


def test_an_endpoint_that_refuses_keeps_the_rest_of_its_facts(relay: Relay, codec: Codec) -> None:
    relay.look(codec)
    codec.state.slots.clear()
    codec.faults.only, codec.faults.status = ("/putxml",), 403
    facts = relay.look(codec)
    assert (facts.feedback, facts.uptime is not None, facts.software) == ("refused", True, codec.profile.version)
    assert notes(a_state(facts=facts))[0].code == "feedback"


# --- failing and coming back ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["tc7", "ce9.6", "ce9.15", "roomos11"])
def test_a_slot_that_failed_is_enabled_again(relay: Relay, profile: str) -> None:
    with a_codec(profile) as codec:
        relay.look(codec)
        codec.state.slots[4].failed = True
        facts = relay.look(codec)
        assert facts.feedback == "failed"
        assert not codec.state.slots[4].failed
        assert urls(codec) == {4: relay.told.url(at(codec).name)}
        assert relay.look(codec).feedback == ""


def test_a_registration_that_a_restart_lost_is_made_again(relay: Relay, codec: Codec) -> None:
    relay.look(codec)
    codec.state.slots.clear()
    codec.reboot()
    relay.look(codec)
    assert urls(codec) == {4: relay.told.url(at(codec).name)}


def test_a_relay_that_listens_elsewhere_from_now_on_keeps_its_slot(relay: Relay, codec: Codec) -> None:
    relay.look(codec)
    relay.told.listening("http://127.0.0.1:9")
    relay.look(codec)
    assert urls(codec) == {4: relay.told.url(at(codec).name)}
    assert urls(codec)[4].startswith("http://127.0.0.1:9/")


@pytest.mark.parametrize(("key", "pool"), [("paired anew", "hq"), ("relay1", "renamed")])
def test_an_address_of_a_former_identity_is_replaced(relay: Relay, codec: Codec, key: str, pool: str) -> None:
    former = Relay(key, pool=pool)
    assert relay.server is not None
    former.told.listening(relay.server.url)
    former.look(codec)
    codec.reboot()  # which nobody understands, so that the slot does not fail
    relay.look(codec)
    assert urls(codec) == {4: relay.told.url(at(codec).name)}


def test_one_relay_of_a_pool_is_told_and_another_takes_over_when_that_one_is_gone(relay: Relay, codec: Codec) -> None:
    other = Relay("relay2").listen()
    relay.look(codec)
    other.look(codec)
    assert urls(codec) == {4: relay.told.url(at(codec).name)}
    relay.stop()
    codec.reboot()
    until(lambda: codec.state.slots[4].failed, SOON, "the failure")
    other.look(codec)
    assert urls(codec) == {4: other.told.url(at(codec).name)}
    codec.reboot()
    until(lambda: other.told.take() == (at(codec).name,), SOON, "the call")
    other.stop()


def test_as_long_as_one_relay_of_the_pool_is_told_no_other_takes_over(relay: Relay, codec: Codec) -> None:
    name, urls_of = at(codec).name, {}
    for other in ("relay2", "relay3"):
        there = Relay(other)
        there.told.listening(f"http://{other}:8444")
        urls_of[other] = there.told.url(name)
    slots = {4: Slots(url=urls_of["relay2"], failed=True), 2: Slots(url=urls_of["relay3"]), 1: Slots()}
    assert step(slots, name, relay.told, BOOT) == Step()
    gone = {**slots, 2: Slots(url=urls_of["relay3"], failed=True)}
    assert step(gone, name, relay.told, BOOT) == Step(does="register", slot=4)


def test_what_a_relay_of_another_pool_or_installation_registered_is_left_alone(relay: Relay, codec: Codec) -> None:
    foreign = Relay("relay9", pool="branch").listen()
    foreign.look(codec)
    codec.state.slots[4].failed = True
    relay.look(codec)
    name = at(codec).name
    assert urls(codec) == {4: foreign.told.url(name), 2: relay.told.url(name)}
    foreign.stop()


# --- taking it back -------------------------------------------------------------------------------------------------


def test_an_endpoint_that_goes_is_asked_to_tell_no_more(relay: Relay, codec: Codec) -> None:
    taken(codec, 2, 3)
    relay.look(codec)
    relay.driver.leave(at(codec), within=WITHIN)
    assert urls(codec) == {2: ELSEWHERE, 3: ELSEWHERE}


def test_when_the_setting_goes_the_registration_goes(relay: Relay, codec: Codec) -> None:
    taken(codec, 1, 3)
    relay.look(codec)
    later = Relay(memory=relay.memory)  # started again without the setting
    later.look(codec)
    assert urls(codec) == {1: ELSEWHERE, 3: ELSEWHERE}
    codec.forget_log()
    later.look(codec)
    assert [entry.method for entry in codec.log] == ["GET"]


# --- certificates ---------------------------------------------------------------------------------------------------


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Relay]:
    """A relay that shows a self-signed certificate."""
    made = self_signed("relay")
    (tmp_path / "relay.pem").write_text(made.key + made.pem)
    relay = Relay().listen(CertificateFiles(certificate=tmp_path / "relay.pem"))
    yield relay
    relay.stop()


def test_a_self_signed_certificate_that_the_endpoint_verifies_is_said_with_the_mend(
    secured: Relay, codec: Codec
) -> None:
    assert codec.state.settings["HttpFeedback TlsVerify"] == "On"
    facts = secured.look(codec)
    assert facts.feedback == "untrusted"
    (note,) = notes(a_state(facts=facts))
    assert "TlsVerify Off" in note.mend
    codec.state.settings["HttpFeedback TlsVerify"] = "Off"
    assert secured.look(codec).feedback == ""
    codec.reboot()
    until(lambda: secured.told.take() == (at(codec).name,), SOON, "the call")


def test_what_may_tell_nobody_is_no_fault_of_the_endpoint(secured: Relay, codec: Codec) -> None:
    endpoint = at(codec)
    secured.driver.put(endpoint, THREE, within=WITHIN)
    secured.look(codec)
    codec.reboot()
    until(lambda: codec.state.slots[4].failed, SOON, "the failure")
    assert secured.look(codec).feedback == "untrusted"
    assert secured.look(codec).role == "admin"


def test_a_relay_of_otd_run_listens_as_its_settings_say(tmp_path: Path) -> None:
    made, port = self_signed("relay"), free_port()
    (tmp_path / "relay.pem").write_text(made.key + made.pem)
    users = {"otd": "secret"}
    with Codec(profile="ce9.15", users=users, speed=None) as codec:
        codec.state.settings["HttpFeedback TlsVerify"] = "Off"
        write_settings(tmp_path, codec)
        said = f'pool = "hq"\nfeedback = "127.0.0.1:{port}"\nfeedback_certificate = "relay.pem"'
        text = (tmp_path / "otd.toml").read_text().replace('[relays.hq-1]\npool = "hq"', f"[relays.hq-1]\n{said}")
        (tmp_path / "otd.toml").write_text(text)
        settings, memory = load(tmp_path / "otd.toml", {}), Memory()
        access = settings.relays["hq-1"].feedback
        assert access is not None
        told = wiring.feedback(settings, "hq-1", memory)
        with wiring.feedback_at(access, wiring.secrets(settings), told):
            endpoint = replace(settings.endpoints["board-codec"], mode="deliver")
            driver = wiring.drivers(settings, memory, told)["cisco"]
            assert driver.facts(endpoint, within=WITHIN).feedback == ""
            assert urls(codec) == {4: told.url("board-codec")}
            assert urls(codec)[4].startswith(f"https://127.0.0.1:{port}/otd/feedback/")
            codec.reboot()
            until(lambda: told.take() == ("board-codec",), SOON, "the call")
