"""Which of the meetings that were found is meant.

The more trusted place wins; among equals the one that stands first, then the earlier row of the table of platforms.
Two meetings of one platform that are trusted alike are ambiguous, and where there was no room to read what may be
trusted more, nothing is certain: a wrong dial string is worse than none.
"""

from __future__ import annotations

from otd.invites.invitation import BODY_TEXT, QUOTED, Found
from otd.model import Alternative, JoinInfo


def choose(found: list[Found], unread: int) -> JoinInfo | None:
    """The JoinInfo of the invitation with every other one as an alternative; `found` in the order of the table, and
    how far what was not read can be trusted."""
    if not found:
        return None
    if len(found) == 1 and found[0].trust <= unread:
        return found[0].join
    best, *others = sorted(found, key=lambda one: (one.trust, one.at))
    rivals = [one for one in others if one.trust == best.trust and one.join.platform == best.join.platform]
    lost = tuple([Alternative(join=_alone(one.join), reason=_why(one, best)) for one in others if one not in rivals])
    if rivals:
        both = tuple([Alternative(join=_alone(one.join), reason="ambiguous") for one in (best, *rivals)])
        evidence = tuple(piece for one in (best, *rivals) for piece in one.join.evidence)
        return JoinInfo(platform=best.join.platform, evidence=evidence, alternatives=both + lost, reason="ambiguous")
    if best.trust > unread:
        first = Alternative(join=_alone(best.join), reason="body_cut")
        return JoinInfo(
            platform=best.join.platform,
            evidence=best.join.evidence,
            alternatives=(first, *best.join.alternatives, *lost),
            reason="body_cut",
        )
    return best.join._replace(alternatives=best.join.alternatives + lost) if lost else best.join


def _alone(join: JoinInfo) -> JoinInfo:
    return join._replace(alternatives=()) if join.alternatives else join


def _why(one: Found, best: Found) -> str:
    if best.trust // QUOTED < one.trust // QUOTED < BODY_TEXT // QUOTED:
        return "quoted"
    if one.join.platform == best.join.platform:
        return "other_meeting"
    return "later" if one.trust == best.trust else "less_trusted"
