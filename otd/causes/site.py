"""What lies between a list and the screen: relays, deliveries, the endpoint."""

from __future__ import annotations

from otd.causes.row import Row

ROWS: tuple[Row, ...] = (
    # relays
    (
        "no_relay",
        "relay",
        "No relay of the endpoint's pool is alive.",
        "Start a relay of the pool, and see that it reaches the centre.",
    ),
    (
        "relay_gone",
        "relay",
        "A relay was not heard of for a while; others of its pool stand in.",
        "Start it again; if it was taken out of service, remove it from the settings.",
    ),
    (
        "relay_clock",
        "relay",
        "A relay's clock is wrong.",
        "Give its machine a working NTP server.",
    ),
    (
        "relay_cloned",
        "relay",
        "Two machines run under one relay's identity; the one that came later rests.",
        "Stop the later one, and pair it anew under a name of its own: `otd relay pair --again`.",
    ),
    # delivery
    (
        "delivery_waiting",
        "delivery",
        "The newest list is on its way.",
        "Wait some seconds; if it stays so, is `otd run` running?",
    ),
    (
        "delivery_unanswered",
        "delivery",
        "The relay that took the list does not answer.",
        "It is sent again by itself, to another relay where there is one; look at the relay's log.",
    ),
    (
        "delivery_expired",
        "delivery",
        "The list could not be put in place in time.",
        "It is tried again; if it stays so, the endpoint or the way to it is slow.",
    ),
    (
        "delivery_stale",
        "delivery",
        "The relay has seen a newer list than the centre's, as after a restored backup.",
        "It is numbered anew by itself.",
    ),
    (
        "credential_unknown",
        "delivery",
        "The relay does not know the endpoint's secret.",
        "Add the secret of this name where the relay looks for its secrets.",
    ),
    (
        "credential_refused",
        "delivery",
        "The endpoint is not tried, since others refuse the same password.",
        "Set the right secret and restart, or `otd endpoints retry` one of those that refuse it.",
    ),
    # the endpoint
    (
        "endpoint_unreachable",
        "endpoint",
        "No relay reaches the endpoint.",
        "Is it switched on, and is its address right? `otd endpoints probe` tries it.",
    ),
    ("endpoint_busy", "endpoint", "The endpoint asks to wait.", "It is tried again by itself."),
    (
        "password_refused",
        "endpoint",
        "The endpoint refuses the password.",
        "Set the right secret, then `otd endpoints retry`; it is not tried before, so that no account is locked.",
    ),
    (
        "role_missing",
        "endpoint",
        "The endpoint's user may not write bookings.",
        "Give that user the role Admin on the endpoint.",
    ),
    (
        "certificate_changed",
        "endpoint",
        "The endpoint shows another certificate than the one that is trusted.",
        "If it was renewed, `otd endpoints pin` shows both and takes the new one.",
    ),
    (
        "teams_mode",
        "endpoint",
        "The endpoint runs as a Microsoft Teams Room, whose calendar is Microsoft's.",
        "Remove it here, or switch it back to RoomOS.",
    ),
    (
        "list_refused",
        "endpoint",
        "The endpoint refuses this list.",
        "`otd endpoints probe` says what it can do; a list with other bookings is tried again by itself.",
    ),
    (
        "endpoint_unsupported",
        "endpoint",
        "The endpoint cannot take bookings.",
        "`otd endpoints probe` says what it can do.",
    ),
    (
        "list_differs",
        "endpoint",
        "The endpoint does not hold the list that was put there.",
        "`otd endpoints compare` shows what differs.",
    ),
    (
        "list_drifted",
        "endpoint",
        "The endpoint's list was changed by somebody; it is put again.",
        "`otd endpoints compare` shows what differs; who else writes there?",
    ),
    (
        "relays_disagree",
        "endpoint",
        "One relay saw the list in place and another did not, a moment apart; it was put again.",
        "Look at the endpoint; do both relays reach the same one? `otd relays revoke` shuts out one that tells lies.",
    ),
    ("list_rebooted", "endpoint", "The endpoint restarted and lost its list; it is put again.", "Nothing to do."),
    (
        "list_overwritten",
        "endpoint",
        "Another system puts its own bookings on the endpoint.",
        'Stop the other system for this endpoint, or set mode = "observe"; then `otd endpoints retry` it.',
    ),
    (
        "list_not_fetched",
        "endpoint",
        "The endpoint has not asked for its list.",
        "Check the calendar service and the network settings on the endpoint.",
    ),
    (
        "login_missing",
        "endpoint",
        "The endpoint was never given a password with which to fetch its list.",
        "`otd endpoints credentials` makes one; type it on the endpoint's calendar page.",
    ),
    (
        "nothing_wrong",
        "endpoint",
        "The endpoint holds the booking with its Join, and nothing that is known hides it.",
        "Look at the screen itself; `otd endpoints show` reads what the endpoint holds now.",
    ),
    (
        "observed",
        "endpoint",
        "The endpoint is only observed; another system is in charge of it.",
        "`otd pools cutover` puts OTD in charge.",
    ),
    (
        "leaving",
        "endpoint",
        "The endpoint was removed or moved to another pool.",
        "Nothing to do: the new pool writes as soon as the old one has let go.",
    ),
    (
        "hidden",
        "endpoint",
        "The endpoint's own settings hide bookings, or parts of them.",
        "Set UserInterface Bookings Visibility on the endpoint to Auto.",
    ),
    (
        "clock_wrong",
        "endpoint",
        "The endpoint's clock is wrong, so that Join comes at the wrong time.",
        "Give it a working NTP server.",
    ),
)
