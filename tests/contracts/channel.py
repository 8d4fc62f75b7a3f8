"""What every Channel promises."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest

from otd.causes import CAUSES
from otd.errors import OtdError, Permanent, Retryable, Untrusted
from otd.model import Alert, Notice
from otd.ports import Channel
from tests.values import T0

WITHIN = timedelta(seconds=10)


def a_notice(number: int = 1, **more: object) -> Notice:
    alert = Alert(
        cause="endpoint_unreachable", thing=f"endpoint:codec{number}", detail="at 10:00", mend="Switch it on."
    )
    return Notice(id=f"endpoint_unreachable/endpoint:codec{number}/1", event="raised", alert=alert, at=T0)


class ChannelContract:
    """Inherit, and say how to make one, what the other side took, and how to have it refuse."""

    def make(self, folder: Path) -> Channel:
        raise NotImplementedError

    def told(self) -> list[str]:
        """The texts that the other side took."""
        raise NotImplementedError

    def refuse(self, times: int) -> None:
        """The other side takes nothing, so many times."""
        raise NotImplementedError

    def vanish(self) -> None:
        """The other side is gone."""
        raise NotImplementedError

    def stall(self, folder: Path) -> Channel:
        """One whose other side drips its answer, byte by byte, for ever."""
        raise NotImplementedError

    def distrusted(self, folder: Path) -> Channel:
        """One that is not told the CA of the other side."""
        raise NotImplementedError

    def test_it_tells_what_where_why_and_what_to_do(self, tmp_path: Path) -> None:
        self.make(tmp_path).tell((a_notice(1), a_notice(2)), within=WITHIN)
        (text,) = self.told()
        assert "codec1" in text
        assert "codec2" in text
        assert CAUSES["endpoint_unreachable"].sentence in text
        assert "at 10:00" in text
        assert "Switch it on." in text

    def test_what_it_refuses_for_now_is_tried_again(self, tmp_path: Path) -> None:
        channel = self.make(tmp_path)
        self.refuse(1)
        with pytest.raises(Retryable):
            channel.tell((a_notice(),), within=WITHIN)
        channel.tell((a_notice(),), within=WITHIN)
        assert len(self.told()) == 1

    def test_when_nobody_is_there_it_says_so(self, tmp_path: Path) -> None:
        channel = self.make(tmp_path)
        self.vanish()
        with pytest.raises(Retryable) as raised:
            channel.tell((a_notice(),), within=WITHIN)
        assert "refused" in raised.value.why

    def test_it_gives_up_at_its_deadline_however_the_other_side_drips(self, tmp_path: Path) -> None:
        channel = self.stall(tmp_path)
        began = time.monotonic()
        with pytest.raises(Retryable):
            channel.tell((a_notice(),), within=timedelta(seconds=0.5))
        assert time.monotonic() - began < 8

    def test_a_certificate_that_nobody_vouches_for_gets_nothing(self, tmp_path: Path) -> None:
        channel = self.distrusted(tmp_path)
        with pytest.raises(Untrusted):
            channel.tell((a_notice(),), within=WITHIN)
        assert self.told() == []

    def test_its_errors_hold_no_secret(self, tmp_path: Path) -> None:
        channel = self.make(tmp_path)
        self.refuse(1)
        with pytest.raises(OtdError) as raised:
            channel.tell((a_notice(),), within=WITHIN)
        assert "hush" not in str(raised.value)
        assert not isinstance(raised.value, Permanent)
