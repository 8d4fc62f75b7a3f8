"""What is wrong with OTD itself, and what runs out."""

from __future__ import annotations

from otd.causes.row import Row

ROWS: tuple[Row, ...] = (
    # OTD itself
    (
        "alert_unsent",
        "alert",
        "A channel for alerts cannot be told; what is to be told waits.",
        "`otd alerts test` tries each channel and says what is wrong.",
    ),
    # what runs out
    (
        "secret_expires",
        "expiry",
        "A calendar's credential runs out soon.",
        "Make a new one, store it under NAME-next beside the old one, and restart.",
    ),
    (
        "face_expires",
        "expiry",
        "A certificate that a relay shows to endpoints runs out soon.",
        "Put a renewed one into its file; it is taken up without a restart.",
    ),
    (
        "endpoint_expires",
        "expiry",
        "The certificate of an endpoint runs out soon.",
        "Renew it on the endpoint; with a pin, accept the new one with `otd endpoints pin`.",
    ),
)
