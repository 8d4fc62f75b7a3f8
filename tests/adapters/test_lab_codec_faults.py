"""Everything that can be set wrong on a simulated Cisco codec, seen through curl."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from xml.sax.saxutils import escape

import pytest

from otd.lab.certificates import self_signed
from otd.lab.codec import Codec, User
from tests.adapters.codec_client import SOON, T0, Answer, Curl, a_booking_xml, a_codec, a_list_xml
from tests.values import FixedClock

LIST = '<Command><Bookings><List command="True"/></Bookings></Command>'
VERSION = "/getxml?location=/Status/SystemUnit/Software/Version"
WEEKLY = a_list_xml(a_booking_xml("ours"))
REFUSED, TIMED_OUT, EMPTY_REPLY, PARTIAL = 7, 28, 52, 18  # exit codes of curl


@pytest.fixture
def codec() -> Iterator[Codec]:
    with a_codec("roomos11") as codec:
        yield codec


@pytest.fixture
def curl(codec: Codec) -> Curl:
    return Curl(codec=codec)


def put(curl: Curl, document: str = WEEKLY) -> Answer:
    return curl.post("/bookingsputxml", document)


# the network and the web server


def test_a_slow_codec_answers_late(codec: Codec, curl: Curl) -> None:
    codec.faults.slow = timedelta(milliseconds=150)
    answer = curl.get(VERSION)
    assert answer.status == 200
    assert answer.took >= 0.15


def test_a_late_answer_leaves_the_client_in_doubt_about_a_put_that_was_taken(codec: Codec) -> None:
    codec.faults.late = timedelta(seconds=30)
    answer = put(Curl(codec=codec, within=0.3))
    assert answer.exit == TIMED_OUT
    assert codec.ids == ("ours",)


def test_a_slow_codec_takes_a_put_after_the_client_gave_up(codec: Codec) -> None:
    codec.faults.slow = timedelta(seconds=0.6)
    answer = put(Curl(codec=codec, within=0.3))
    assert answer.exit == TIMED_OUT
    assert codec.ids == ()
    assert codec.wait_until(lambda: codec.ids == ("ours",), within=SOON)


def test_an_answer_that_drips_outlasts_the_patience_of_the_client(codec: Codec) -> None:
    codec.faults.drip_head = timedelta(milliseconds=20)
    answer = Curl(codec=codec, within=0.6).get(VERSION)
    assert answer.exit == TIMED_OUT
    assert answer.header("Cache-Control") == ""  # not even the head was whole


def test_a_body_that_drips_comes_after_a_whole_head(codec: Codec) -> None:
    codec.faults.drip_body = timedelta(milliseconds=20)
    answer = Curl(codec=codec, within=0.6).get(VERSION)
    assert answer.exit == TIMED_OUT
    assert answer.status == 200
    assert 0 < len(answer.body) < 40


def test_a_body_that_drips_is_whole_in_the_end(codec: Codec, curl: Curl) -> None:
    whole = curl.get(VERSION).body
    codec.faults.drip_body = timedelta(milliseconds=1)
    assert curl.get(VERSION).body == whole


def test_a_connection_can_end_without_an_answer_and_in_the_middle_of_one(codec: Codec, curl: Curl) -> None:
    codec.faults.reset = True
    assert curl.get(VERSION).exit in (EMPTY_REPLY, 56)
    codec.faults.clear()
    codec.faults.cut = True
    assert curl.get(VERSION).exit == PARTIAL


def test_a_silent_codec_takes_the_request_and_never_answers(codec: Codec) -> None:
    codec.faults.silent = True
    answer = put(Curl(codec=codec, within=0.3))
    assert (answer.exit, answer.status) == (TIMED_OUT, 0)
    assert codec.wait_until(lambda: codec.log[-1].path == "/bookingsputxml", within=SOON)
    assert codec.bookings == ()


def test_any_status_can_be_had_with_its_headers(codec: Codec, curl: Curl) -> None:
    codec.faults.status, codec.faults.headers = 503, {"Retry-After": "7"}
    answer = put(curl)
    assert (answer.status, answer.header("Retry-After")) == (503, "7")
    assert codec.bookings == ()


def test_a_redirect_points_to_another_host(codec: Codec, curl: Curl) -> None:
    codec.faults.redirect = "https://elsewhere.example.com/"
    answer = put(curl)
    assert answer.status == 302
    assert answer.header("Location") == "https://elsewhere.example.com/bookingsputxml"


def test_a_sign_in_page_comes_with_status_200(codec: Codec, curl: Curl) -> None:
    codec.faults.sign_in_page = True
    answer = put(curl)
    assert (answer.status, answer.header("Content-Type")) == (200, "text/html; charset=UTF-8")
    assert codec.bookings == ()


def test_a_fault_hits_only_the_paths_and_as_often_as_it_is_told(codec: Codec, curl: Curl) -> None:
    codec.faults.status, codec.faults.only, codec.faults.times = 500, ("/bookingsputxml",), 2
    assert curl.list().status == 200
    assert [put(curl).status for _ in range(3)] == [500, 500, 200]


def test_a_stopped_codec_refuses_connections_and_remembers_its_list(codec: Codec, curl: Curl) -> None:
    put(curl)
    codec.stop()
    assert curl.get(VERSION).exit == REFUSED
    codec.start()
    assert curl.list().xml.Id.text == "ours"


# certificates and TLS


def handshake(codec: Codec, *options: str) -> int:
    command = ["curl", "-s", "-o", "/dev/null", *options, "-u", "otd:secret", codec.url + VERSION]
    return subprocess.run(command, check=False, timeout=10).returncode


def test_another_certificate_can_appear_on_the_same_port(tmp_path: Any) -> None:
    with a_codec(tls=True) as codec:
        port, fingerprint = codec.port, codec.fingerprint
        trusted = tmp_path / "codec.pem"
        trusted.write_text(codec.certificate)
        assert handshake(codec, "--cacert", str(trusted)) == 0
        codec.change_certificate()
        assert codec.port == port
        assert codec.fingerprint != fingerprint
        assert handshake(codec, "--cacert", str(trusted)) == 60
        assert handshake(codec, "-k") == 0


def test_a_certificate_can_be_brought_along() -> None:
    certificate = self_signed("atrium.example.com")
    with a_codec(tls=True, certificate=certificate) as codec:
        assert codec.fingerprint == certificate.fingerprint


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_an_old_codec_speaks_old_tls_only() -> None:
    old = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
    with a_codec("tc7", tls=True, tls_versions=old) as codec:
        assert handshake(codec, "-k") != 0
        assert handshake(codec, "-k", "--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0") == 0


# the answers of the xAPI


def test_a_truncated_answer_is_whole_http_but_not_whole_xml(codec: Codec, curl: Curl) -> None:
    codec.faults.truncate = True
    answer = curl.list()
    assert answer.exit == 0
    assert answer.body
    assert "</Command>" not in answer.body


def test_an_empty_command_comes_back_and_nothing_is_done(codec: Codec, curl: Curl) -> None:
    put(curl)
    codec.faults.empty_command = True
    answer = curl.putxml('<Command><Bookings><Clear command="True"/></Bookings></Command>')
    assert answer.body.split() == ["<?xml", 'version="1.0"?>', "<Command/>"]
    assert codec.ids == ("ours",)


def test_control_bytes_make_the_xml_ill_formed(codec: Codec, curl: Curl) -> None:
    codec.faults.control_bytes = True
    body = curl.get(VERSION).body
    assert "\x03" in body
    assert codec.profile.version in body


def test_an_answer_can_be_as_large_as_one_likes_and_still_be_xml(codec: Codec, curl: Curl) -> None:
    codec.faults.huge = 8 * 1024 * 1024
    answer = curl.list()
    assert len(answer.body) >= 8 * 1024 * 1024
    assert answer.body.rstrip().endswith("</Command>")


@pytest.mark.parametrize(
    ("form", "expected"),
    [("result", "<Reason>Unknown command</Reason>"), ("action", "<ActionError>"), ("empty", "<Command/>")],
)
def test_an_unknown_command_is_refused_in_the_forms_that_were_seen(
    codec: Codec, curl: Curl, form: Any, expected: str
) -> None:
    codec.habits.unknown_command = form
    assert expected in curl.putxml('<Command><Dila command="True"/></Command>').body


# the list


def test_a_put_can_be_answered_with_ok_and_ignored(codec: Codec, curl: Curl) -> None:
    put(curl)
    codec.faults.ignore_put = True
    assert put(curl, a_list_xml(a_booking_xml("new"))).status == 200
    assert codec.ids == ("ours",)
    assert codec.puts[-1].ids == ("new",)


def test_a_list_can_be_lost_with_a_put_or_by_itself(codec: Codec, curl: Curl) -> None:
    put(curl)
    codec.drop_list()
    assert codec.ids == ()
    codec.faults.lose_put = True
    assert put(curl).status == 200
    assert codec.ids == ()


def test_another_system_overwrites_the_list_some_time_after_a_put() -> None:
    with a_codec(clock=FixedClock()) as codec:
        codec.faults.foreign_after = timedelta(seconds=60)
        put(Curl(codec=codec))
        codec.advance(timedelta(seconds=59))
        assert codec.ids == ("ours",)
        codec.advance(timedelta(seconds=1))
        assert codec.ids == ("elsewhere-1",)


def test_a_field_can_come_back_changed_or_not_at_all(codec: Codec, curl: Curl) -> None:
    put(curl)
    codec.faults.mutate = {"Title": "Other", "Time/EndTime": None, "DialInfo/Calls/Call/Number": "x@example.net"}
    answer = curl.list().xml
    assert answer.Title.text == "Other"
    assert answer.find("EndTime") is None
    assert answer.Number.text == "x@example.net"
    assert codec.bookings[0].number == "weekly@vc.example.com"


@pytest.mark.parametrize(("policy", "title"), [("keep-first", "First"), ("keep-last", "Second")])
def test_of_two_bookings_with_one_id_one_is_kept(codec: Codec, curl: Curl, policy: Any, title: str) -> None:
    codec.habits.duplicates = policy
    put(curl, a_list_xml(a_booking_xml(title="First"), a_booking_xml(title="Second")))
    assert [b.title for b in codec.bookings] == [title]


def test_limits_that_nobody_published_can_be_set(codec: Codec, curl: Curl) -> None:
    codec.habits.most_bookings, codec.habits.longest_title = 1, 10
    assert put(curl, a_list_xml(a_booking_xml("1"), a_booking_xml("2"))).status == 400
    assert put(curl, a_list_xml(a_booking_xml(title="Eleven char"))).status == 400
    assert put(curl).status == 200


def test_unknown_fields_are_refused_by_a_strict_codec(codec: Codec, curl: Curl) -> None:
    codec.habits.unknown_keys = False
    strange = WEEKLY.replace("<DialInfo>", "<Colour>red</Colour><DialInfo>")
    assert put(curl, strange).status == 400
    assert put(curl).status == 200


def test_past_bookings_stay_unless_the_codec_purges_them() -> None:
    with a_codec(clock=FixedClock()) as codec:
        put(Curl(codec=codec))
        codec.advance(timedelta(hours=2))
        assert codec.ids == ("ours",)
        codec.habits.keep_past = False
        assert codec.ids == ()


def test_the_words_of_answers_that_nobody_published_can_be_set(codec: Codec, curl: Curl) -> None:
    codec.habits.bookingsputxml_answer = b""
    assert put(curl).body == ""
    codec.habits.malformed_status = 200
    assert put(curl, "<Bookings>").status == 200
    codec.habits.put_result, codec.habits.error_element = "PutResult", "Reason"
    body = escape(json.dumps({"Bookings": [{}]}))
    answer = curl.putxml(f'<Command><Bookings><Put command="True"><body>{body}</body></Put></Bookings></Command>')
    assert answer.xml.PutResult.Reason.text
    codec.habits.bookingsputxml = False
    assert put(curl).status == 404


def test_a_command_without_the_role_can_be_answered_with_403() -> None:
    with a_codec(users={"otd": User(password="secret", roles=frozenset({"Integrator"}))}) as codec:
        curl = Curl(codec=codec)
        assert curl.putxml(LIST).xml.BookingsListResult["status"] == "Error"
        codec.habits.not_permitted = "forbidden"
        assert curl.putxml(LIST).status == 403


# reboots and passwords


def test_a_reboot_is_502_for_a_while_and_takes_the_list_and_the_sessions_with_it() -> None:
    with a_codec(clock=FixedClock()) as codec:
        curl = Curl(codec=codec)
        put(curl)
        assert curl.post("/xmlapi/session/begin", "").status == 204
        codec.advance(timedelta(hours=5))
        assert codec.state.uptime == timedelta(hours=5)
        codec.reboot(takes=timedelta(minutes=2))
        assert curl.get(VERSION).status == 502
        codec.advance(timedelta(minutes=3))
        assert curl.get("/getxml?location=/Status/SystemUnit/Uptime").xml.Uptime.text == "60"
        assert codec.bookings == ()
        assert codec.sessions == ()
        assert codec.last_updated is None


def test_a_list_can_outlive_a_reboot(codec: Codec, curl: Curl) -> None:
    codec.habits.persist_across_reboot = True
    put(curl)
    codec.reboot()
    assert curl.list().xml.Id.text == "ours"


def test_a_changed_password_is_401_for_basic_and_for_the_session(codec: Codec, curl: Curl) -> None:
    cookie = curl.post("/xmlapi/session/begin", "").header("Set-Cookie").partition(";")[0]
    codec.change_password("otd", "other")
    assert put(curl).status == 401
    assert Curl(codec=codec, user="").get(VERSION, "-H", f"Cookie: {cookie}").status == 401
    assert put(Curl(codec=codec, password="other")).status == 200


def test_too_many_failed_sign_ins_lock_the_user_out() -> None:
    with a_codec(clock=FixedClock()) as codec:
        codec.state.settings["Security Session MaxFailedLogins"] = "3"
        wrong, right = Curl(codec=codec, password="wrong"), Curl(codec=codec)
        assert [wrong.get(VERSION).status for _ in range(3)] == [401] * 3
        assert right.get(VERSION).status == 401
        codec.advance(timedelta(minutes=61))
        assert right.get(VERSION).status == 200


def test_the_clock_of_a_codec_can_be_wrong(codec: Codec, curl: Curl) -> None:
    codec.set_time(T0)
    codec.state.ntp = "Discarded"
    assert curl.get("/getxml?location=/Status/Time").xml.SystemTime.text.startswith("2026-01-05T09:00:0")
    assert curl.get("/getxml?location=/Status/NetworkServices/NTP/Status").xml.NTP.Status.text == "Discarded"
    put(curl)
    assert curl.list().xml.LastUpdated.text.startswith("2026-01-05T09:00:0")


def test_in_microsoft_teams_mode_bookings_cannot_be_put() -> None:
    with a_codec("roomos26") as codec:
        codec.state.teams = True
        body = escape(json.dumps({"Bookings": []}))
        command = f'<Command><Bookings><Put command="True"><body>{body}</body></Put></Bookings></Command>'
        assert Curl(codec=codec).putxml(command).xml.BookingsPutResult["status"] == "Error"


def test_cleared_faults_are_gone(codec: Codec, curl: Curl) -> None:
    codec.faults.status = 500
    codec.faults.mutate = {"Title": "x"}
    codec.faults.clear()
    assert put(curl).status == 200
    assert curl.list().xml.Title.text == "Weekly"
