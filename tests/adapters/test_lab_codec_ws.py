"""The WebSocket of the simulated Cisco codecs, talked to with xows, Cisco's own client for Python."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
import xows

from otd.lab.codec import Codec, Held, User
from tests.adapters.codec_client import SOON, T0, Curl, a_booking_xml, a_codec, a_list_xml
from tests.values import FixedClock

pytestmark = [
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]

BODY = json.dumps(
    {
        "Bookings": [
            {
                "Id": "1",
                "Title": "Weekly",
                "Number": "weekly@vc.example.com",
                "Protocol": "SIP",
                "Organizer": {"Name": "Ann Ex"},
                "Time": {"StartTime": "2026-01-05T10:00:00Z", "Duration": 30, "StartTimeBuffer": 300},
            }
        ]
    }
)
BASIC = {"Authorization": "Basic " + base64.b64encode(b"otd:secret").decode()}


@pytest.fixture
def codec() -> Iterator[Codec]:
    with a_codec("roomos11", clock=FixedClock()) as codec:
        yield codec


def talk(codec: Codec, conversation: Callable[[Any], Awaitable[Any]], **options: str) -> Any:
    async def whole() -> Any:
        url = codec.url.replace("http", "ws", 1) + "/ws"
        async with xows.XoWSClient(url, "otd", options.get("password", "secret")) as client:
            return await conversation(client)

    return asyncio.run(asyncio.wait_for(whole(), SOON.total_seconds()))


class Heard:
    """What a subscription brought."""

    def __init__(self) -> None:
        self.notices: asyncio.Queue[Any] = asyncio.Queue()

    def __call__(self, params: Any, number: int) -> None:
        self.notices.put_nowait((number, params))

    async def next(self) -> Any:
        return await asyncio.wait_for(self.notices.get(), SOON.total_seconds())


def test_a_list_is_put_and_read_back_in_plain_values(codec: Codec) -> None:
    async def conversation(client: Any) -> Any:
        assert await client.xCommand(["Bookings", "Put"], body=BODY) == {"status": "OK"}
        return await client.xCommand(["Bookings", "List"])

    answer = talk(codec, conversation)
    assert answer["ResultInfo"] == {"TotalRows": 1}
    booking = answer["Booking"][0]
    assert (booking["id"], booking["Id"]) == (1, "1")
    assert booking["Time"] == {
        "StartTime": "2026-01-05T10:00:00Z",
        "StartTimeBuffer": 300,
        "EndTime": "2026-01-05T10:30:00Z",
        "EndTimeBuffer": 0,
    }
    assert booking["DialInfo"]["Calls"]["Call"] == [{"id": 1, "Number": "weekly@vc.example.com", "CallType": "Video"}]
    assert codec.puts[-1].ids == ("1",)


def test_an_empty_list_has_no_booking_at_all(codec: Codec) -> None:
    answer = talk(codec, lambda client: client.xCommand(["Bookings", "List"], Limit=5))
    assert "Booking" not in answer


def test_whoever_listens_hears_that_the_list_was_updated_over_whichever_interface(codec: Codec) -> None:
    async def conversation(client: Any) -> None:
        heard = Heard()
        number = await client.subscribe(["Event", "Bookings"], heard)
        await client.xCommand(["Bookings", "Put"], body=BODY)
        assert await heard.next() == (number, {"Event": {"Bookings": {"Updated": {"id": 1}}}})
        document = a_list_xml(a_booking_xml("2"))
        answer = await asyncio.to_thread(Curl(codec=codec).post, "/bookingsputxml", document)
        assert answer.status == 200
        assert (await heard.next())[1] == {"Event": {"Bookings": {"Updated": {"id": 1}}}}
        await client.unsubscribe(number)
        codec.overwrite()
        await client.xGet(["Status", "Time"])
        assert heard.notices.empty()

    talk(codec, conversation)


def test_a_meeting_announces_itself_begins_and_ends(codec: Codec) -> None:
    async def conversation(client: Any) -> list[str]:
        heard = Heard()
        await client.subscribe(["Event", "Bookings"], heard)
        await client.xCommand(["Bookings", "Put"], body=BODY)
        codec.advance(timedelta(hours=2))
        return [next(iter((await heard.next())[1]["Event"]["Bookings"])) for _ in range(5)]

    assert talk(codec, conversation) == ["Updated", "StartTimeBuffer", "Start", "TimeRemaining", "End"]


def test_a_meeting_begins_by_itself_when_its_time_comes() -> None:
    async def conversation(client: Any) -> Any:
        heard = Heard()
        await client.subscribe(["Event", "Bookings", "Start"], heard)
        codec.set_time(T0)
        start = T0 + timedelta(milliseconds=300)
        codec.overwrite([Held(id="soon", title="", start=start, end=start + timedelta(hours=1))])
        return await heard.next()

    with a_codec() as codec:
        assert talk(codec, conversation)[1] == {"Event": {"Bookings": {"Start": {"id": 1, "Id": "soon"}}}}


def test_current_and_availability_follow_the_clock(codec: Codec) -> None:
    async def conversation(client: Any) -> None:
        heard = Heard()
        status = ["Status", "Bookings"]
        await client.subscribe([*status, "Current", "Id"], heard, notify_current_value=True)
        assert (await heard.next())[1] == {"Status": {"Bookings": {"Current": {"Id": ""}}}}
        assert await client.xGet([*status, "Availability"]) == {"Status": "Free", "TimeStamp": ""}
        await client.xCommand(["Bookings", "Put"], body=BODY)
        free = {"Status": "FreeUntil", "TimeStamp": "2026-01-05T10:00:00Z"}
        assert await client.xGet([*status, "Availability"]) == free
        codec.advance(timedelta(minutes=70))
        assert (await heard.next())[1] == {"Status": {"Bookings": {"Current": {"Id": "1"}}}}
        booked = {"Status": "BookedUntil", "TimeStamp": "2026-01-05T10:30:00Z"}
        assert await client.xGet([*status, "Availability"]) == booked

    talk(codec, conversation)


def test_queries_find_what_is_deep_inside(codec: Codec) -> None:
    answer = talk(codec, lambda client: client.xQuery(["Status", "**", "Version"]))
    assert answer == {"Status": {"SystemUnit": {"Software": {"Version": codec.profile.version}}}}


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda client: client.xCommand(["Bookings", "Get"], Id="none"), xows.CommandError),
        (lambda client: client.xCommand(["Bookings", "Put"], body="{}"), xows.CommandError),
        (lambda client: client.xCommand(["Bookings", "Put"], body={}), xows.InvalidParameter),
        (lambda client: client.api_call("xDance"), xows.MethodNotFound),
        (lambda client: client.xCommand(["Dila"]), xows.XoWSError),
        (lambda client: client.xCommand(["Bookings", "List"], Limit="many"), xows.XoWSError),
        (lambda client: client.xGet(["Status", "Foo"]), xows.XoWSError),
        (lambda client: client.xSet(["Configuration", "Foo"], "x"), xows.XoWSError),
    ],
)
def test_errors_arrive_under_their_codes(codec: Codec, call: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        talk(codec, call)


def test_a_role_is_asked_for_here_too() -> None:
    with a_codec(users={"otd": User(password="secret", roles=frozenset({"User"}))}) as codec:
        with pytest.raises(xows.PermissionDenied):
            talk(codec, lambda client: client.xCommand(["Bookings", "Put"], body=BODY))
        assert talk(codec, lambda client: client.xCommand(["Bookings", "List"]))["status"] == "OK"


def test_subscriptions_run_out(codec: Codec) -> None:
    async def conversation(client: Any) -> None:
        for _ in range(codec.profile.feedback_expressions):
            await client.api_call("xFeedback/Subscribe", Query=["Event"])
        with pytest.raises(xows.SubscriberCountExceeded):
            await client.api_call("xFeedback/Subscribe", Query=["Event"])

    talk(codec, conversation)


@pytest.mark.parametrize(
    ("fault", "error"),
    [(0, xows.AuthenticationFailure), (502, ConnectionError), (503, xows.RateLimitError)],
)
def test_who_may_not_come_in_is_told_why(codec: Codec, fault: int, error: type[Exception]) -> None:
    codec.faults.status = fault
    with pytest.raises(error):
        talk(codec, lambda client: client.xGet(["Status"]), password="wrong")


def test_the_websocket_is_off_before_roomos_until_it_is_switched_on() -> None:
    with a_codec("ce9.15") as codec:
        with pytest.raises(xows.NotEnabledError):
            talk(codec, lambda client: client.xGet(["Status", "Time"]))
        setting = "<NetworkServices><Websocket>FollowHTTPService</Websocket></NetworkServices>"
        Curl(codec=codec).putxml(f"<Configuration>{setting}</Configuration>")
        assert talk(codec, lambda client: client.xCommand(["Bookings", "Put"], body=BODY)) == {"status": "OK"}


def test_the_oldest_versions_have_no_websocket() -> None:
    with a_codec("ce9.6") as codec, pytest.raises(xows.NotEnabledError):
        talk(codec, lambda client: client.xGet(["Status", "Time"]))


def test_a_reboot_ends_the_connection(codec: Codec) -> None:
    async def conversation(client: Any) -> None:
        await client.xGet(["Status", "Time"])
        codec.reboot()
        await client.wait_until_closed()

    talk(codec, conversation)
    assert codec.bookings == ()


def raw(codec: Codec, conversation: Callable[[aiohttp.ClientWebSocketResponse], Awaitable[Any]], **options: Any) -> Any:
    async def whole() -> Any:
        async with aiohttp.ClientSession() as session, session.ws_connect(codec.url + "/ws/", **options) as socket:
            return await conversation(socket)

    return asyncio.run(asyncio.wait_for(whole(), SOON.total_seconds()))


def test_a_browser_signs_in_with_a_subprotocol_and_finds_it_echoed(codec: Codec) -> None:
    codec.change_password("otd", "pass?word>")  # its base64 has characters that a header would not take
    token = base64.urlsafe_b64encode(b"otd:pass?word>").decode().rstrip("=")

    async def conversation(socket: aiohttp.ClientWebSocketResponse) -> Any:
        assert socket.protocol == f"auth-{token}"
        await socket.send_json(
            {"jsonrpc": "2.0", "id": "text", "method": "xGet", "params": {"Path": ["Status", "Time"]}}
        )
        return await socket.receive_json()

    answer = raw(codec, conversation, protocols=[f"auth-{token}"])
    assert answer["id"] == "text"


def test_what_is_no_call_is_refused_and_the_connection_goes_on(codec: Codec) -> None:
    async def conversation(socket: aiohttp.ClientWebSocketResponse) -> list[Any]:
        codes = []
        for text in ("{", "[]", '{"jsonrpc":"1.0","id":1,"method":"xGet"}', '{"jsonrpc":"2.0","id":1,"method":"xGet"}'):
            await socket.send_str(text)
            codes.append((await socket.receive_json())["error"]["code"])
        return codes

    assert raw(codec, conversation, headers=BASIC) == [-32700, -32600, -32600, -32602]


def test_a_call_without_an_id_is_carried_out_and_not_answered(codec: Codec) -> None:
    async def conversation(socket: aiohttp.ClientWebSocketResponse) -> Any:
        await socket.send_json({"jsonrpc": "2.0", "method": "xCommand/Bookings/Put", "params": {"body": BODY}})
        await socket.send_json({"jsonrpc": "2.0", "id": 7, "method": "xCommand/Bookings/List"})
        return await socket.receive_json()

    answer = raw(codec, conversation, headers=BASIC)
    assert (answer["id"], answer["result"]["ResultInfo"]["TotalRows"]) == (7, 1)


def test_the_command_line_of_xows_reads_a_codec_over_tls() -> None:
    with a_codec(tls=True) as codec:
        url = codec.url.replace("https", "wss") + "/ws"
        command = [sys.executable, "-m", "xows", "-u", "otd", "-p", "secret", url, "get", "Status", "SystemUnit"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        assert codec.profile.version in done.stdout
