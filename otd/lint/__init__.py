"""What the readings of rooms' mailboxes tell of how those mailboxes are set. Pure.

Nobody who may only read a calendar can ask for a mailbox's settings (Get-CalendarProcessing); but each of them leaves
its mark on what is read. One invitation proves little, so they are counted; and the same invitation in two rooms (the
same uid) proves much: what one room shows of it, the other has thrown away. A setting acts on what arrives after it was
set. So a room is healed when what came last is sound, and what is older stays as it is.
"""

from otd.lint.judging import Finding, Linted, judge
from otd.lint.observing import Invitation, Observed, observed

__all__ = ["Finding", "Invitation", "Linted", "Observed", "judge", "observed"]
