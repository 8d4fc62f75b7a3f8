"""The poll of a Polycom endpoint: Autodiscover if it must, GetFolder, FindItem over the coming days, GetItem for what
is new or changed, and what comes of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from urllib.parse import urlsplit

from otd.lab.polycom_checks import complaints, misplaced
from otd.lab.polycom_dialling import Text, dialling
from otd.lab.polycom_replies import Item, Message, Unusable, read
from otd.lab.polycom_requests import AUTODISCOVER_PATH, EWS_PATH, Requests, midnight
from otd.lab.polycom_state import Held, Outcome, Poll, State
from otd.lab.polycom_wire import Caller, CallFailed

_ACTION = "http://schemas.microsoft.com/exchange/services/2006/messages/"


class _Failed(Exception):
    def __init__(self, outcome: Outcome, why: str, code: str = "") -> None:
        super().__init__(why)
        self.outcome: Outcome = outcome
        self.why, self.code = why, code


@dataclass(slots=True)
class _Server:
    """What one of the servers said last; several have to say the same."""

    ews_url: str = ""
    folder_id: str = ""
    views: dict[str, tuple[str, Item]] = field(default_factory=dict)  # id -> change key, as found


class Poller:
    """Polls for one endpoint; one poll at a time."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._caller = Caller(state.habits, state.complain)
        self._servers: dict[str, _Server] = {}
        self._items: dict[str, Held] = {}  # as last fetched, by id
        self._turn = 0

    @property
    def connections(self) -> int:
        return self._caller.connections

    def forget(self) -> None:
        """As after a restart, or when it was registered anew."""
        self._servers.clear()
        self._items.clear()

    async def end(self) -> None:
        """Leave no connection behind."""
        await self._caller.end()

    async def poll(self) -> Poll:
        """One look at the calendar; what comes of it is in the state."""
        state = self._state
        registration, requests = state.registration, self._requests()
        address = registration.urls[self._turn % len(registration.urls)] if registration.urls else ""
        self._turn += 1
        poll = Poll(at=state.now(), url=address, outcome="ok")
        meetings: list[Held] | None = None
        try:
            if not address:
                raise _Failed("unreachable", "there is no server to poll")
            url = await self._url(address, requests)
            meetings, poll = await self._look(url, address, requests, poll)
        except _Failed as failed:
            poll = replace(poll, outcome=failed.outcome, why=failed.why, code=failed.code)
            self._servers.setdefault(address, _Server()).ews_url = ""  # it may have moved: ask again
        finally:
            if state.habits.connections != "kept":
                await self._caller.close()
        state.polled(poll, meetings)
        return poll

    def _requests(self) -> Requests:
        return Requests(profile=self._state.profile, registration=self._state.registration, habits=self._state.habits)

    # the way there ------------------------------------------------------------------------------------------------

    async def _url(self, address: str, requests: Requests) -> str:
        root = "{0.scheme}://{0.netloc}".format(urlsplit(address))
        server = self._servers.setdefault(address, _Server())
        if not requests.registration.autodiscover:
            return address if urlsplit(address).path.strip("/") else root + EWS_PATH
        if not server.ews_url:
            body = await self._send("Autodiscover", root + AUTODISCOVER_PATH, requests.autodiscover(), requests)
            server.ews_url = _ews_url(body)
        return server.ews_url

    async def _send(self, operation: str, url: str, body: str, requests: Requests) -> bytes:
        """The body of an answer of status 200. Raises _Failed."""
        state = self._state
        status = 0
        try:
            reply = await self._caller.call(
                "POST",
                url,
                requests.registration,
                body=body,
                action="" if operation == "Autodiscover" else _ACTION + operation,
                user_agent=state.profile.user_agent,
            )
            status = reply.status
        except CallFailed as failed:
            outcome: Outcome = failed.outcome  # type: ignore[assignment]
            status = 401 if failed.outcome == "denied" else 0
            raise _Failed(outcome, failed.why, str(status or "")) from failed
        finally:
            state.note(operation, url, status)
        if status == 401:
            raise _Failed("denied", "the server refuses the user or the password", "401")
        if status not in (200, 500):
            raise _Failed("refused", f"the server answered HTTP {status}", str(status))
        kind = reply.headers.get("content-type", "").partition(";")[0].strip().casefold()
        if kind != "text/xml":
            raise _Failed("garbled", "the answer is not XML", str(status))
        if operation != "Autodiscover":
            for wrong in complaints(reply.body, version=requests.version_header):
                state.complain(wrong)
            if status == 500 and b"Fault>" not in reply.body:
                raise _Failed("refused", "the server answered HTTP 500", "500")
            if status == 200 and b"Fault>" in reply.body:
                state.complain("a fault came with HTTP 200")
        return reply.body

    def _read(self, body: bytes, operation: str) -> tuple[Message, ...]:
        try:
            return read(body, operation, literal=self._state.profile.literal)
        except Unusable as error:
            raise _Failed("refused" if error.code else "garbled", error.why, error.code) from error

    # the look -----------------------------------------------------------------------------------------------------

    async def _look(self, url: str, address: str, requests: Requests, poll: Poll) -> tuple[list[Held], Poll]:
        server = self._servers[address]
        folder = _only(self._read(await self._send("GetFolder", url, requests.get_folder(), requests), "GetFolder"))
        if not folder.folder_id:
            raise _Failed("garbled", "there is no FolderId in the reply")
        server.folder_id = folder.folder_id
        if len({each.folder_id for each in self._servers.values() if each.folder_id}) > 1:
            self._state.complain("the servers give the calendar different ids")
        start = midnight(self._state.now(), self._state.zone)
        end = start + timedelta(days=self._state.habits.days)
        body = await self._send("FindItem", url, requests.find_item(start, end, folder.folder_id), requests)
        view = _only(self._read(body, "FindItem"))
        if not view.whole and not self._state.habits.most_entries:
            self._state.complain("the view is not whole")
        found = self._usable(view.items, misplaced(body), ("t:ItemId",))
        for item in found:
            if not item.change_key:
                self._state.complain("an item has no ChangeKey")
        wanted = [item for item in found if self._is_new(item)]
        fetched = await self._fetch(url, requests, wanted)
        self._compare(server, found, fetched)
        meetings = [held for item in found if (held := fetched.get(item.id) or self._items.get(item.id))]
        self._items = {held.id: held for held in meetings}
        return meetings, replace(poll, found=len(view.items), fetched=len(wanted))

    def _is_new(self, item: Item) -> bool:
        held = self._items.get(item.id)
        return self._state.habits.asks_again or held is None or held.change_key != item.change_key

    async def _fetch(self, url: str, requests: Requests, wanted: list[Item]) -> dict[str, Held]:
        fetched: dict[str, Held] = {}
        batch = self._state.profile.batch
        for at in range(0, len(wanted), batch):
            asked = wanted[at : at + batch]
            body = await self._send(
                "GetItem", url, requests.get_item((item.id, item.change_key) for item in asked), requests
            )
            messages = self._read(body, "GetItem")
            if len(messages) != len(asked):
                self._state.complain("GetItem does not answer once for each id")
            for message in messages:
                if message.code != "NoError":
                    self._state.complain(f"GetItem: {message.code or 'no ResponseCode'}")
            items = [item for message in messages for item in message.items]
            for item in self._usable(items, misplaced(body), self._state.habits.needs):
                if item.id not in {each.id for each in asked}:
                    self._state.complain("GetItem gives another item than was asked for")
                elif held := self._held(item):
                    fetched[held.id] = held
        return fetched

    def _usable(self, items: Iterable[Item], disordered: frozenset[str], needed: tuple[str, ...]) -> list[Item]:
        usable: dict[str, Item] = {}
        for item in items:
            lacking = item.lacks(needed)
            if lacking:
                self._state.complain(f"dropped an item without {', '.join(lacking)}")
            elif self._state.habits.ordered and item.id in disordered:
                self._state.complain("dropped an item that is not in the schema's order")
            elif item.id in usable:
                self._state.complain("an item is there twice")
            else:
                usable[item.id] = item
        return list(usable.values())

    def _held(self, item: Item) -> Held | None:
        times = item.times
        if times is None:
            self._state.complain("dropped an item without proper times")
            return None
        start, end = times
        if end <= start:
            self._state.complain("dropped an item that does not end after it starts")
            return None
        habits, profile = self._state.habits, self._state.profile
        text = Text(
            body=item.get("Body")[: habits.longest_body],
            html=item.html,
            subject=item.get("Subject"),
            location=item.get("Location"),
            conflink=item.extended.get("OnlineMeetingConfLink", ""),
        )
        found = dialling(text, habits.reads or profile.reads, habits)
        for problem in found.problems:
            self._state.complain(problem)
        return Held(
            id=item.id,
            change_key=item.change_key,
            uid=item.get("UID"),
            subject=item.get("Subject"),
            start=start,
            end=end,
            private=item.get("Sensitivity") in ("Private", "Confidential"),
            organizer=item.organizer,
            location=item.get("Location"),
            body=text.plain,
            numbers=found.numbers,
            password=found.password,
            required=item.required,
            optional=item.optional,
            all_day=item.get("IsAllDayEvent") == "true",
            cancelled=item.get("IsCancelled") == "true",
            recurring=item.get("IsRecurring") == "true",
        )

    # several servers ----------------------------------------------------------------------------------------------

    def _compare(self, server: _Server, found: list[Item], fetched: dict[str, Held]) -> None:
        """Ids may not depend on which server answers, and a change key may only say that the content changed."""
        before = {(held.uid, held.start): held for held in self._items.values()}
        for held in fetched.values():
            old = before.get((held.uid, held.start)) if held.uid else self._items.get(held.id)
            if old is not None and old.id != held.id:
                self._state.complain("a meeting got another id")
            same = old is not None and replace(old, change_key=held.change_key) == held
            if old is not None and old.id == held.id and old.change_key != held.change_key and same:
                self._state.complain("a meeting got another change key without a change")
        for item in found:
            for other in self._servers.values():
                key, seen = other.views.get(item.id, ("", item))
                if key == item.change_key and seen.fields != item.fields:
                    self._state.complain("a meeting changed without another change key")
        server.views = {item.id: (item.change_key, item) for item in found}


def _only(messages: tuple[Message, ...]) -> Message:
    message = messages[0]
    if message.code != "NoError":
        raise _Failed("refused", f"the server answered {message.code or 'without a ResponseCode'}", message.code)
    return message


def _ews_url(body: bytes) -> str:
    """From an Autodiscover reply, literally, as the EXCH protocol has it."""
    text = body.decode("utf-8", "replace")
    for protocol in text.split("<Protocol>")[1:]:
        if "<Type>EXCH</Type>" in protocol and "<EwsUrl>" in protocol:
            return protocol.partition("<EwsUrl>")[2].partition("</EwsUrl>")[0].strip()
    code = text.partition("<ErrorCode>")[2].partition("</ErrorCode>")[0]
    if code:
        raise _Failed("refused", f"Autodiscover answered error {code}", code)
    raise _Failed("garbled", "there is no EwsUrl in the Autodiscover reply")
