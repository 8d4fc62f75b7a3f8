"""How one talks to a simulated Cisco codec over HTTP: paths, commands, sessions, limits, and what it logs."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from otd.lab.codec import Codec, User
from otd.lab.codec_http import Limiter
from otd.lab.codec_profiles import PROFILES
from tests.adapters.codec_client import SOON, T0, Curl, a_booking_xml, a_codec, a_list_xml
from tests.values import FixedClock

VERSION = "/getxml?location=/Status/SystemUnit/Software/Version"


@pytest.fixture(scope="module")
def shared() -> Iterator[Codec]:
    with a_codec("roomos11") as codec:
        yield codec


@pytest.fixture
def curl(shared: Codec) -> Curl:
    return Curl(codec=shared)


# reading


@pytest.mark.parametrize("profile", PROFILES)
def test_every_version_says_which_one_it_is(profile: str) -> None:
    with a_codec(profile) as codec:
        answer = Curl(codec=codec).get(VERSION)
        assert answer.header("Content-Type") == "text/xml; charset=UTF-8"
        assert answer.header("Server").startswith("nginx")
        assert answer.xml.Status.SystemUnit.Software.Version.text == PROFILES[profile].version
        assert answer.xml.Status["version"] == PROFILES[profile].version


def test_a_location_may_name_an_item(curl: Curl) -> None:
    answer = curl.get("/getxml?location=/Status/Network[@item='1']/IPv4/Address", "-g")
    assert answer.xml.Address.text == "127.0.0.1"
    assert answer.xml.Network["item"] == "1"


@pytest.mark.parametrize("location", ["/Status/Foo", "/Status/Network[@item='9']", "Status/../x", "", "/Nothing"])
def test_a_location_that_matches_nothing_is_an_error_with_status_200(curl: Curl, location: str) -> None:
    answer = curl.get(f"/getxml?location={location}", "-g")
    assert answer.status == 200
    assert answer.xml.Status["status"] == "Error"
    assert answer.xml.Reason.text == "No match on address expression"


@pytest.mark.parametrize(
    ("path", "root"), [("/status.xml", "Status"), ("/configuration.xml", "Configuration"), ("/command.xml", "Command")]
)
def test_whole_documents_are_there(curl: Curl, path: str, root: str) -> None:
    assert curl.get(path).xml.find().name == root


def test_paths_and_methods_that_do_not_exist_are_said_to(curl: Curl) -> None:
    assert curl.get("/nothing").status == 404
    assert curl.get("/putxml").status == 405


# commands


def test_sibling_commands_are_answered_in_their_order(curl: Curl) -> None:
    answer = curl.putxml(
        '<Command><Audio><Volume><Set command="True"><Level>50</Level></Set></Volume></Audio>'
        '<Bookings><List command="True"/><Get command="True"><Id>none</Id></Get></Bookings></Command>'
    )
    results = answer.xml.Command.find_all(recursive=False)
    assert [(r.name, r["status"]) for r in results] == [
        ("VolumeSetResult", "OK"),
        ("BookingsListResult", "OK"),
        ("BookingsGetResult", "Error"),
    ]
    assert results[2].Error.text == "Not found"


def test_the_command_attribute_may_be_missing_unless_the_codec_insists(shared: Codec, curl: Curl) -> None:
    bare = "<Command><Bookings><List><Limit>1</Limit></List></Bookings></Command>"
    assert curl.putxml(bare).xml.BookingsListResult["status"] == "OK"
    shared.habits.command_attribute = True
    try:
        assert curl.putxml(bare).xml.ActionError.Reason.text == "No action detected in document"
    finally:
        shared.habits.clear()


@pytest.mark.parametrize("limit", ["0", "65535", "many", "-1"])
def test_a_bad_parameter_is_named_by_new_versions_and_met_with_silence_by_old_ones(curl: Curl, limit: str) -> None:
    command = f'<Command><Bookings><List command="True"><Limit>{limit}</Limit></List></Bookings></Command>'
    result = curl.putxml(command).xml.BookingsListResult
    assert (result["status"], result.Limit.text) == ("ParameterError", "Invalid value")
    with a_codec("ce9.6") as old:
        assert Curl(codec=old).putxml(command).body.endswith("<Command/>\n")


def test_an_unknown_command_is_an_action_error_on_the_newest_version() -> None:
    with a_codec("roomos26") as codec:
        answer = Curl(codec=codec).putxml('<Command><Dila command="True"/></Command>')
        assert answer.status == 200
        assert answer.xml.ActionError.Reason.text == "No action detected in document"


@pytest.mark.parametrize("document", ["", "<Command>", "not xml"])
def test_a_malformed_command_is_refused(curl: Curl, document: str) -> None:
    assert curl.putxml(document).status == 400


def test_a_setting_can_be_changed_and_an_unknown_one_cannot(shared: Codec, curl: Curl) -> None:
    def setting(name: str, value: str) -> str:
        return f"<Configuration><SystemUnit><{name}>{value}</{name}></SystemUnit></Configuration>"

    assert curl.putxml(setting("Name", "Atrium")).xml.Configuration.find("Success") is not None
    assert curl.get("/getxml?location=/Configuration/SystemUnit/Name").xml.Name.text == "Atrium"
    assert curl.putxml(setting("Colour", "red")).xml.Failure.Reason.text


def test_a_booking_can_be_got_and_deleted_by_its_id(shared: Codec, curl: Curl) -> None:
    curl.post("/bookingsputxml", a_list_xml(a_booking_xml("a"), a_booking_xml("b")))
    one = "<Command><Bookings><{0} command='True'><Id>a</Id></{0}></Bookings></Command>"
    assert curl.putxml(one.format("Get")).xml.BookingsGetResult.Booking.Id.text == "a"
    assert curl.putxml(one.format("Delete")).xml.BookingsDeleteResult["status"] == "OK"
    assert shared.ids == ("b",)


def test_booking_at_the_screen_needs_its_setting() -> None:
    book = "<Command><Bookings><Book command='True'><Title>Ad hoc</Title></Book></Bookings></Command>"
    with a_codec(clock=FixedClock()) as codec:
        curl = Curl(codec=codec)
        assert curl.putxml(book).xml.BookingsBookResult["status"] == "Error"
        codec.state.settings["Bookings AdhocBooking Enabled"] = "True"
        assert curl.putxml(book).xml.BookingsBookResult["status"] == "OK"
        assert [(b.title, b.start, b.end) for b in codec.bookings] == [("Ad hoc", T0, T0 + timedelta(minutes=30))]


def test_an_old_codec_refuses_to_be_asked_whether_it_expects_a_body() -> None:
    document = a_list_xml(a_booking_xml())
    with a_codec("tc7") as codec:
        refused = Curl(codec=codec).post("/bookingsputxml", document, "-H", "Expect: 100-continue")
        assert refused.status == 417
        assert codec.bookings == ()


# signing in


def begin(curl: Curl) -> str:
    answer = curl.post("/xmlapi/session/begin", "")
    assert (answer.status, answer.body) == (204, "")
    return answer.header("Set-Cookie").partition(";")[0]


@pytest.mark.parametrize(("tls", "name"), [(True, "SecureSessionId"), (False, "SessionId")])
def test_a_session_is_a_cookie_that_signs_in_until_it_is_ended(tls: bool, name: str) -> None:
    with a_codec("ce9.6", tls=tls, clock=FixedClock()) as codec:
        cookie = begin(Curl(codec=codec))
        assert cookie.startswith(f"{name}=")
        assert len(cookie) == len(name) + 1 + 64
        anonymous = Curl(codec=codec, user="")
        codec.advance(timedelta(days=400))  # it does not time out
        assert anonymous.post("/bookingsputxml", a_list_xml(a_booking_xml()), "-H", f"Cookie: {cookie}").status == 200
        assert codec.log[-1].cookie
        assert anonymous.post("/xmlapi/session/end", "", "-H", f"Cookie: {cookie}").status == 204
        assert anonymous.get(VERSION, "-H", f"Cookie: {cookie}").status == 401
        assert codec.sessions == ()


def test_a_codec_may_set_both_cookies() -> None:
    with a_codec(tls=True) as codec:
        codec.habits.session_cookies = ("SecureSessionId", "SessionId")
        cookies = Curl(codec=codec).post("/xmlapi/session/begin", "").all("Set-Cookie")
        assert [cookie.partition("=")[0] for cookie in cookies] == ["SecureSessionId", "SessionId"]


def test_a_script_may_send_the_whole_cookie_line_back_twice() -> None:
    with a_codec(tls=True) as codec:
        token = begin(Curl(codec=codec)).partition("=")[2]
        name = "SecureSessionId"
        header = f"Cookie: {name}={token}; Path=/; secure; HttpOnly; SameSite=Strict; {name}={token}"
        assert Curl(codec=codec, user="").get(VERSION, "-H", header).status == 200


def test_sessions_run_out_and_an_admin_can_end_those_that_leaked() -> None:
    with a_codec("ce9.6") as codec:
        curl = Curl(codec=codec)
        codec.state.settings["Security Session MaxTotalSessions"] = "2"
        begin(curl)
        begin(curl)
        assert curl.post("/xmlapi/session/begin", "").status == 503
        listed = curl.putxml('<Command><Security><Session><List command="True"/></Session></Security></Command>')
        sessions = listed.xml.SessionListResult.find_all("Session")
        assert [each.UserName.text for each in sessions] == ["otd", "otd"]
        ended = curl.putxml(
            '<Command><Security><Session><Terminate command="True">'
            f"<SessionId>{sessions[0].Id.text}</SessionId></Terminate></Session></Security></Command>"
        )
        assert ended.xml.SessionTerminateResult["status"] == "OK"
        assert len(codec.sessions) == 1
        begin(curl)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_number_of_sessions_is_that_of_the_version(profile: str) -> None:
    with a_codec(profile) as codec:
        most = int(codec.state.settings["Security Session MaxTotalSessions"])
        users = [f"user{number % 3}" for number in range(most)]
        assert all(codec.state.sign_in(user) for user in users)
        assert codec.state.sign_in("user0") is None


def test_the_oldest_version_has_no_sessions_but_a_form_to_sign_in() -> None:
    with a_codec("tc7") as codec:
        answer = Curl(codec=codec).post("/xmlapi/session/begin", "")
        assert (answer.status, answer.header("Location")) == (302, "/web/signin")
        form = Curl(codec=codec, user="").post("/web/signin/open", "username=otd&password=secret")
        cookie = form.header("Set-Cookie").partition(";")[0]
        anonymous = Curl(codec=codec, user="")
        assert anonymous.post("/bookingsputxml", a_list_xml(a_booking_xml()), "-H", f"Cookie: {cookie}").status == 200
        wrong = anonymous.post("/web/signin/open", "username=otd&password=wrong")
        assert wrong.header("Set-Cookie") == ""


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Basic b3Rk", "Bearer x", "Digest username=otd"])
def test_whatever_is_no_name_and_password_is_401(shared: Codec, header: str) -> None:
    assert Curl(codec=shared, user="").get(VERSION, "-H", f"Authorization: {header}").status == 401


def test_a_user_who_is_no_admin_may_read() -> None:
    with a_codec(users={"otd": User(password="secret", roles=frozenset({"User"}))}) as codec:
        assert Curl(codec=codec).list().xml.BookingsListResult["status"] == "OK"


# rates


def test_one_request_a_second_is_let_through_thirty_wait_and_the_next_is_refused() -> None:
    limiter = Limiter(1, 30)
    assert [limiter.wait(0.0, 1.0) for _ in range(32)] == [*(float(n) for n in range(31)), None]
    assert limiter.wait(1.5, 1.0) == pytest.approx(29.5)
    assert limiter.wait(100.0, 1.0) == 0.0


def test_a_limiter_can_be_made_faster_or_switched_off() -> None:
    assert [Limiter(1, 30).wait(0.0, None) for _ in range(40)] == [0.0] * 40
    limiter = Limiter(15, 90)
    assert [limiter.wait(0.0, 10.0) for _ in range(3)] == [pytest.approx(n / 150) for n in range(3)]


def test_a_flood_with_a_password_meets_503() -> None:
    with a_codec(speed=40.0) as codec:
        flood = ["curl", "-s", "-Z", "--parallel-immediate", "-u", "otd:secret", "-w", "%{http_code}\n"]
        flood += ["-o", "/dev/null", f"{codec.url}/status.xml?[1-50]"]
        done = subprocess.run(flood, capture_output=True, text=True, check=False, timeout=20)
        statuses = Counter(done.stdout.split())
        assert set(statuses) == {"200", "503"}
        assert statuses["200"] >= 31
        assert codec.most_at_once > 1


def test_a_session_is_let_through_faster_than_a_password() -> None:
    with a_codec(speed=5.0) as codec:
        cookie = begin(Curl(codec=codec))
        anonymous = Curl(codec=codec, user="")
        with_session = sum(anonymous.get(VERSION, "-H", f"Cookie: {cookie}").took for _ in range(4))
        with_password = sum(Curl(codec=codec).get(VERSION).took for _ in range(4))
        assert with_password > 0.3  # four at five a second, less what starting curl takes
        assert with_session < with_password


# the log


def test_the_log_says_who_did_what_and_what_was_written() -> None:
    with a_codec() as codec:
        curl = Curl(codec=codec)
        curl.post("/bookingsputxml", a_list_xml(a_booking_xml("a"), a_booking_xml("b")))
        curl.list()
        Curl(codec=codec, password="wrong").get(VERSION)
        assert [(e.method, e.path, e.user, e.status, e.ids, e.commands) for e in codec.log] == [
            ("POST", "/bookingsputxml", "otd", 200, ("a", "b"), ()),
            ("POST", "/putxml", "otd", 200, None, ("Bookings List",)),
            ("GET", "/getxml", "otd", 401, None, ()),
        ]
        assert codec.log[0].moment <= codec.log[1].moment
        codec.forget_log()
        assert codec.log == ()


def test_a_waiting_test_sees_a_request_arrive_before_it_is_answered() -> None:
    with a_codec() as codec:
        codec.faults.slow = timedelta(seconds=30)
        asking = subprocess.Popen(["curl", "-s", "-u", "otd:secret", codec.url + VERSION], stdout=subprocess.DEVNULL)
        try:
            assert codec.wait_until(lambda: len(codec.log) == 1, within=SOON)
            assert codec.log[0].status == 0
        finally:
            asking.kill()
            asking.wait()


def test_no_password_is_in_what_a_codec_shows_of_itself() -> None:
    with a_codec(users={"otd": "very-secret"}) as codec:
        Curl(codec=codec, password="very-secret").post("/xmlapi/session/begin", "")
        token = next(iter(codec.state.sessions))
        shown = f"{codec.log} {codec.sessions} {codec.state.users}"
        assert "very-secret" not in shown
        assert token not in shown
