"""What lies between the calendar and a list: the reading, the way of a meeting into the list, the brake."""

from __future__ import annotations

from otd.causes.row import Row

ROWS: tuple[Row, ...] = (
    # the calendar
    (
        "calendar_unread",
        "calendar",
        "The room's calendar has not been read yet.",
        "Wait for the first reading; if none comes, is `otd run` running?",
    ),
    (
        "calendar_unreachable",
        "calendar",
        "The calendar does not answer.",
        "Check the way to it: name, firewall, proxy. Screens keep what they show.",
    ),
    (
        "calendar_busy",
        "calendar",
        "The calendar asks to wait.",
        "Nothing to do when it passes; if not, lower at_once or raise refresh.",
    ),
    (
        "calendar_garbled",
        "calendar",
        "The calendar's answers cannot be read, or are not whole.",
        "Look for a proxy or a sign-in page on the way; screens keep what they show.",
    ),
    (
        "calendar_denied",
        "calendar",
        "The calendar refuses the account, or its right to this mailbox.",
        "Renew the secret, or give the application or account its right again; `otd check` tries it.",
    ),
    (
        "calendar_missing",
        "calendar",
        "The calendar knows no such mailbox.",
        "Correct the room's mailbox in otd.toml, or create it.",
    ),
    (
        "calendar_untrusted",
        "calendar",
        "The calendar's certificate is not trusted.",
        "Name its CA with ca = ... in the calendar's settings.",
    ),
    (
        "calendar_setting",
        "calendar",
        "A setting or secret of the calendar is wrong.",
        "`otd check` names it with its line.",
    ),
    (
        "calendar_late",
        "calendar",
        "The room's calendar is read too late.",
        "Are enough workers running, and is the calendar's lane neither paused nor too narrow? See `otd status`.",
    ),
    (
        "room_unknown",
        "calendar",
        "The database does not know the room yet.",
        "Start `otd run` with these settings once.",
    ),
    (
        "work_stopped",
        "calendar",
        "Nobody works on what is due.",
        "Start `otd run`, or the workers; `otd status` shows what is due since when.",
    ),
    (
        "lane_paused",
        "calendar",
        "The work of this calendar or pool is paused.",
        "It goes on by itself; `otd status` shows when, and what the pause was asked for.",
    ),
    (
        "not_kept",
        "calendar",
        "What was known at that time is not kept, or not any more.",
        "Ask for a later time; keep under [readings] and under [audit] says how long it is kept.",
    ),
    # the way of a meeting into the list
    (
        "room_without_endpoint",
        "booking",
        "No endpoint shows the room.",
        "Name the room in the rooms of an endpoint in otd.toml.",
    ),
    (
        "meeting_gone",
        "booking",
        "The meeting was in the room's calendar, and is not any more.",
        "It was moved or removed there: ask its organiser, or book the room again.",
    ),
    (
        "join_later",
        "booking",
        "Everything is in place; Join appears shortly before the meeting.",
        "Wait, or raise start_buffer under [policy].",
    ),
    (
        "meeting_not_found",
        "booking",
        "No reading of the room's calendar holds such a meeting.",
        "Was the room invited, and did it accept? Look into the room's calendar in Outlook.",
    ),
    ("meeting_declined", "booking", "The room declined the meeting.", "Book the room again at a time that is free."),
    (
        "meeting_hidden",
        "booking",
        "The policy keeps meetings of this kind off the screens.",
        "Change tentative, free, all_day or without_video under [policy].",
    ),
    (
        "meeting_outside",
        "booking",
        "The meeting lies outside the days that are shown.",
        "Wait, or raise ahead under [policy].",
    ),
    (
        "meeting_over",
        "booking",
        "The meeting is over.",
        "Nothing to do.",
    ),
    # the brake
    (
        "brake_calendar",
        "brake",
        "The brake holds the rooms of a calendar, since too many would go from bookings to none at once.",
        "Is the calendar read with all its rights? `otd release CALENDAR` lets the rooms go empty.",
    ),
    (
        "brake_rules",
        "brake",
        "The brake holds changed rules, since they would take away or change too many dial strings.",
        "Look with `otd rules try`; `otd release rules` lets them go, `otd rules revert` goes back.",
    ),
)
