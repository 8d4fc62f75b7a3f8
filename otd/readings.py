"""What is kept of a reading for replay: no more of people than replay needs. Pure.

Attendees are reduced to their domains. The body of a private meeting is never kept, and no body at all where the site
says so; then what the meeting said about joining cannot be replayed, and the kept meeting says that.
"""

from __future__ import annotations

from dataclasses import replace

from otd.invites import text as texts
from otd.model import KeptMeeting, Meeting, Person


def kept(meeting: Meeting, *, bodies: bool = True) -> KeptMeeting:
    """The meeting as it is kept."""
    left_out = (meeting.private or not bodies) and not is_blank(meeting)
    reduced = replace(
        meeting, attendees=domains_of(meeting.attendees), body="" if left_out or not bodies else meeting.body
    )
    return KeptMeeting(meeting=reduced, body_left_out=left_out)


def is_blank(meeting: Meeting) -> bool:
    """Whether nothing can be read in its body: Exchange leaves the frame of a page where it deletes the text."""
    source = meeting.body
    return not source.strip() or texts.read(source, html=meeting.body_type == "html", wanted=bool).empty


def domains_of(people: tuple[Person, ...]) -> tuple[Person, ...]:
    """One nameless person for each domain, in the order of the alphabet."""
    hosts = {person.address.strip().lower().rpartition("@")[2] for person in people if "@" in person.address}
    return tuple(Person(address=f"@{host}") for host in sorted(hosts - {""}))
