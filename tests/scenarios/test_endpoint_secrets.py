"""No credential stands in a log, an error, a receipt, a state or the list of processes, whatever endpoints answer."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from otd.deliveries import condition
from otd.lab.codec import User
from otd.lab.defaults import CODEC_USER
from otd.lab.house import House, until
from tests.scenarios.test_endpoint_faults import QUICK, bookings

FAULTS: dict[tuple[str, str], dict[str, Any]] = {
    ("right", "roomos11"): {},
    ("refused", "roomos11"): {},
    ("error", "ce9.6"): {"status": 500},
    ("cut", "tc7"): {"cut": True},
    ("redirect", "roomos26"): {"redirect": "https://127.0.0.1:9"},
    ("page", "ce9.15"): {"sign_in_page": True},
    ("huge", "roomos10"): {"huge": 9_000_000},
}
SOON = timedelta(seconds=120)
PASSWORDS = ("s3cret-of-today", "s3cret-of-tomorrow")
SECRETS = (*PASSWORDS, *(base64.b64encode(f"{CODEC_USER}:{word}".encode()).decode() for word in PASSWORDS))


@pytest.fixture
def logged() -> Any:
    """Every line that is logged, at every level."""
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[capture], wrapper_class=structlog.make_filtering_bound_logger(0))
    yield capture.entries
    structlog.configure(**before)


def test_no_credential_is_said_anywhere(tmp_path: Path, logged: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    house = House(tmp_path, paced=False, timing=QUICK, at_once=8)
    for number, (name, word) in enumerate(zip(("current", "next"), PASSWORDS, strict=True)):
        house.secrets["codec" if not number else f"codec-{name}"] = f"{CODEC_USER}:{word}"
    for fault, profile in FAULTS:
        user = User(password="another" if fault == "refused" else PASSWORDS[1])
        codec = house.add(fault, profile, users={CODEC_USER: user}, settings={"session": profile != "tc7"})
        for switch, value in FAULTS[fault, profile].items():
            setattr(codec.faults, switch, value)
    with house:
        for name in house.codecs:
            house.want(name, bookings(1, 2))
        assert until(lambda: all(house.state(name).receipt for name in house.codecs), SOON)
        states = [house.state(name) for name in house.codecs]
        assert {condition(state) for state in states} > {"confirmed", "failing"}
        said = [
            *(repr(entry) for entry in logged),
            *(record.getMessage() for record in caplog.records),
            *(repr(state) for state in states),
            *(repr(row) for row in house.store.work()),
            *(path.read_bytes().decode("latin-1") for path in Path("/proc/self").glob("cmdline")),
            *(path.read_bytes().decode("latin-1") for path in tmp_path.iterdir() if path.is_file()),
        ]
    assert logged
    for secret in SECRETS:
        assert not any(secret in text for text in said)
