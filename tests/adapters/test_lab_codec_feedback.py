"""The posts of the simulated Cisco codecs (HttpFeedback), received by the web server of Python's own library."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue

import pytest
from bs4 import BeautifulSoup

from otd.lab.codec import Held
from tests.adapters.codec_client import SOON, T0, Curl, a_codec

WAIT = SOON.total_seconds()


class Receiver(HTTPServer):
    """Keeps what is posted to it and answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Posted)
        self.posts: Queue[str] = Queue()
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class Posted(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.posts.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()


def register(curl: Curl, url: str, *expressions: str, format: str = "JSON") -> str:
    items = "".join(f'<Expression item="{n}">{each}</Expression>' for n, each in enumerate(expressions, 1))
    slot = f"<FeedbackSlot>1</FeedbackSlot><ServerUrl>{url}</ServerUrl><Format>{format}</Format>{items}"
    answer = curl.putxml(f'<Command><HttpFeedback><Register command="True">{slot}</Register></HttpFeedback></Command>')
    return str(answer.xml.HttpFeedbackRegisterResult["status"])


def test_an_update_is_posted_in_json_with_values(receiver: Receiver) -> None:
    with a_codec() as codec:
        assert register(Curl(codec=codec), receiver.url, "/Event/Bookings") == "OK"
        codec.overwrite()
        post = json.loads(receiver.posts.get(timeout=WAIT))
        assert post["Event"]["Bookings"] == {"Updated": {}}
        assert post["Event"]["Identification"]["SWVersion"]["Value"] == codec.profile.version


def test_an_update_is_posted_in_xml(receiver: Receiver) -> None:
    with a_codec() as codec:
        register(Curl(codec=codec), receiver.url, "/Event/Bookings/Updated", format="XML")
        codec.overwrite()
        post = BeautifulSoup(receiver.posts.get(timeout=WAIT), "xml")
        assert post.Event.Identification.ProductType.text == "Cisco Codec"
        assert post.Event.Bookings.Updated is not None


def test_a_meeting_that_begins_by_itself_is_posted_as_event_and_as_status(receiver: Receiver) -> None:
    with a_codec() as codec:
        codec.set_time(T0)
        register(Curl(codec=codec), receiver.url, "/Event/Bookings/Start", "/Status/Bookings/Current")
        start = T0 + timedelta(milliseconds=300)
        codec.overwrite([Held(id="soon", title="", start=start, end=start + timedelta(hours=1))])
        posts = json.loads(receiver.posts.get(timeout=WAIT)) | json.loads(receiver.posts.get(timeout=WAIT))
        assert posts["Event"]["Bookings"] == {"Start": {"Id": {"Value": "soon"}}}
        assert posts["Status"]["Bookings"] == {"Current": {"Id": {"Value": "soon"}}}


def test_a_reboot_is_posted(receiver: Receiver) -> None:
    with a_codec() as codec:
        register(Curl(codec=codec), receiver.url, "/Event/BootEvent")
        codec.reboot()
        assert "BootEvent" in json.loads(receiver.posts.get(timeout=WAIT))["Event"]


def test_a_slot_shows_what_was_registered_in_it() -> None:
    with a_codec() as codec:
        curl = Curl(codec=codec)
        register(curl, "http://127.0.0.1:9/hook", "/Event/BootEvent", "/Status/Bookings", format="XML")
        first, *others = curl.get("/getxml?location=/Status/HttpFeedback").xml.find_all("HttpFeedback")
        assert (first.URL.text, first.Format.text, first.Status.text) == ("http://127.0.0.1:9/hook", "XML", "OK")
        shown = [(expression["item"], expression.text) for expression in first.find_all("Expression")]
        assert shown == [("1", "/Event/BootEvent"), ("2", "/Status/Bookings")]
        assert [other.URL.text for other in others] == ["", "", ""]


def test_a_slot_that_failed_is_silent_until_it_is_enabled(receiver: Receiver) -> None:
    with a_codec() as codec:
        curl = Curl(codec=codec)
        register(curl, receiver.url, "/Event/Bookings")
        receiver.status = 500
        codec.overwrite()
        receiver.posts.get(timeout=WAIT)
        assert codec.wait_until(lambda: codec.state.slots[1].failed, within=SOON)
        assert "<Status>Failed</Status>" in curl.get("/getxml?location=/Status/HttpFeedback").body
        receiver.status = 200
        codec.drop_list()
        codec.overwrite()  # silent
        enable = '<Enable command="True"><FeedbackSlot>1</FeedbackSlot></Enable>'
        answer = curl.putxml(f"<Command><HttpFeedback>{enable}</HttpFeedback></Command>")
        assert answer.xml.HttpFeedbackEnableResult["status"] == "OK"
        codec.overwrite()
        receiver.posts.get(timeout=WAIT)
        codec.stop()  # what was announced is posted by then
        assert receiver.posts.empty()


def test_a_slot_that_was_given_back_hears_nothing(receiver: Receiver) -> None:
    with a_codec() as codec:
        curl = Curl(codec=codec)
        register(curl, receiver.url, "/Event/Bookings")
        curl.putxml(
            "<Command><HttpFeedback><Deregister command='True'><FeedbackSlot>1</FeedbackSlot></Deregister>"
            "</HttpFeedback></Command>"
        )
        codec.overwrite()
        codec.stop()
        assert receiver.posts.empty()


def test_nobody_at_the_other_end_makes_a_slot_fail() -> None:
    with a_codec() as codec:
        register(Curl(codec=codec), "http://127.0.0.1:9/hook", "/Event/Bookings")
        codec.overwrite()
        assert codec.wait_until(lambda: codec.state.slots[1].failed, within=SOON)


@pytest.mark.parametrize("expressions", [(), ("/Event",) * 16])
def test_one_to_fifteen_expressions_are_taken(expressions: tuple[str, ...]) -> None:
    with a_codec() as codec:
        assert register(Curl(codec=codec), "http://127.0.0.1:9/hook", *expressions) == "ParameterError"
