"""Why a meeting has no dial string: the closed list, one sentence and one mend each.

Codes appear in bookings, in `otd parse --json` and in metrics, so they never change their meaning. A `final` reason
holds against every rule of a dial plan; the others say what the invitation lacks, and a rule that can do without it
(a gateway that dials by meeting id, say) may still give a dial string.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One entry of the list."""

    code: str
    sentence: str
    mend: str
    final: bool


def _reason(code: str, sentence: str, mend: str, *, final: bool = False) -> tuple[str, Reason]:
    return code, Reason(code=code, sentence=sentence, mend=mend, final=final)


REASONS: MappingProxyType[str, Reason] = MappingProxyType(
    dict(
        (
            _reason(
                "no_link",
                "Nothing in the invitation says how to join by video.",
                "If it should be a video meeting, have the organiser add the online meeting and send an update.",
            ),
            _reason(
                "link_only",
                "The invitation holds a link for browsers and apps, but no address that a video system can dial.",
                "Have the organiser's administrator turn on video interop for the platform (for Teams: Cloud Video "
                "Interop, which is put in when a meeting is made), or add a gateway rule to the dial plan.",
            ),
            _reason(
                "body_stripped",
                "The meeting is an online meeting, but its text is gone, and the video address with it.",
                "The room's mailbox deletes the text of invitations. Run: Set-CalendarProcessing -Identity MAILBOX "
                "-DeleteComments $false. It cures new invitations only: have this one sent again.",
            ),
            _reason(
                "body_cut",
                "The invitation is too large to be read whole, and the part that was read holds no video address that "
                "is certain.",
                "Have the organiser send it again without the long text, the pasted pictures or the many links.",
            ),
            _reason(
                "wrapped_opaque",
                "The links were rewritten by a mail filter in a way that cannot be undone.",
                "Exempt the room's mailbox from link rewriting in the mail filter; have the invitation sent again.",
            ),
            _reason(
                "id_redacted",
                "The id in the invitation was blacked out or never filled in.",
                "Ask the organiser for the original invitation.",
                final=True,
            ),
            _reason(
                "passcode_missing",
                "The meeting asks for a passcode that the invitation does not hold in a form that can be dialled.",
                "Have the organiser send the invitation with its passcode, or let the rule dial without it.",
            ),
            _reason(
                "host_not_trusted",
                "The video address stands in a link whose host belongs neither to a known partner nor to this site.",
                "If that host may be believed, add its domain to own_domains, allowed_domains or partner_domains in "
                "otd.toml.",
            ),
            _reason(
                "domain_not_allowed",
                "The dial string leads to a domain that this site does not dial.",
                "If it may be dialled, add the domain to allowed_domains in otd.toml.",
                final=True,
            ),
            _reason(
                "no_rule",
                "The meeting was recognised, but no rule of the dial plan makes a dial string of it.",
                "Add a rule for the platform, or see with `otd explain` which rules were tried.",
            ),
            _reason(
                "dial_invalid",
                "What a rule of the dial plan made of the invitation is not a dial string.",
                "See with `otd parse` what the invitation states; if the rule is the site's own, mend its template.",
            ),
            _reason(
                "rule_disabled",
                "The rule that would make the dial string is switched off.",
                "Switch the rule on in otd.toml if these meetings should be dialled.",
            ),
            _reason(
                "ambiguous",
                "The invitation holds two different meetings, and nothing says which one is meant.",
                "Have the organiser remove the one that is not meant and send an update; both are listed as "
                "alternatives.",
                final=True,
            ),
            _reason(
                "cancelled",
                "The meeting was cancelled.",
                "Nothing to do; it leaves the screens.",
                final=True,
            ),
            _reason(
                "private",
                "The meeting is private, and this site shows private meetings without Join.",
                "Set private_dial = true in otd.toml if private meetings may keep their Join.",
                final=True,
            ),
        )
    )
)

# Why an alternative lost against the JoinInfo that was chosen.
LOST: MappingProxyType[str, str] = MappingProxyType(
    {
        "less_trusted": "It was read from a less trustworthy place than the one that was chosen.",
        "quoted": "It stands in a quoted or forwarded part of the text.",
        "later": "It stands behind the one that was chosen.",
        "other_meeting": "It belongs to another meeting than the one that the hidden properties or the link name.",
        "host_not_trusted": "It stands in a link whose host belongs neither to a known partner nor to this site.",
        "ambiguous": "It is as likely to be the one that is meant as the other.",
        "body_cut": "What was not read of the invitation may hold one that is trusted more.",
    }
)
