"""What endpoints really send is kept, across restarts, as structure without text."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from otd.relay.face.sightings import Sightings, structure
from otd.relay.face.soap import request
from tests.adapters.face_client import envelope, find_item
from tests.values import T0

SECRETS = (
    find_item(folder='<t:FolderId Id="c2VjcmV0" ChangeKey="a2V5"/>')
    .replace("<m:ItemShape>", '<m:ItemShape note="Ann Example">')
    .replace("AllProperties", "IdOnly")
)


def test_names_and_the_schemas_own_words_are_kept_and_nothing_else() -> None:
    text = structure(etree.fromstring(envelope(SECRETS)).find(".//{*}FindItem"))
    assert text == (
        "FindItem[Traversal=Shallow](ItemShape[note](BaseShape=IdOnly) CalendarView[EndDate,StartDate] "
        "ParentFolderIds(FolderId[ChangeKey,Id]))"
    )


@pytest.mark.parametrize("value", ["ann@example.com", "item:Ann Example", "x" * 5000, "calendar:" + "x" * 100])
def test_a_text_where_a_word_of_the_schema_belongs_is_left_out(value: str) -> None:
    element = etree.Element("FieldURI", FieldURI=value)
    assert structure(element) == "FieldURI[FieldURI]"
    shape = etree.Element("BaseShape")
    shape.text = value
    assert structure(shape) == "BaseShape"


def test_a_first_sight_outlives_a_restart_and_is_kept_once(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    body = envelope(find_item(), "Exchange2010")
    asked = request(body)
    for _ in range(2):
        sightings = Sightings(path)
        for _ in range(3):
            sightings.see(asked, body, "Polycom/1.0", T0, known=True)
        sightings.see(asked, body, "Polycom/2.0", T0, known=True)
        assert [(s.user_agent, s.version, s.operation) for s in sightings.all()] == [
            ("Polycom/1.0", "Exchange2010", "FindItem"),
            ("Polycom/2.0", "Exchange2010", "FindItem"),
        ]
    assert len(path.read_text().splitlines()) == 2


def test_a_file_that_cannot_be_written_or_read_takes_nothing_from_the_endpoints(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_text("not json\n{}\n")
    sightings = Sightings(path)
    assert sightings.all() == ()
    body = envelope(find_item())
    Sightings(tmp_path).see(request(body), body, "", T0, known=True)
