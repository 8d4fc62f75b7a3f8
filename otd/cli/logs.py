"""How logs are written by a command that runs for long: for people on a terminal, or one JSON object a line."""

from __future__ import annotations

import logging
import sys


def configure(form: str) -> None:
    """`form` is "console" or "json"; to standard error, from level info up. Libraries are heard from warning up."""
    import structlog

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # what libraries log may hold what they were sent: only their own complaints, never their debugging
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    for name in ("exchangelib", "msal", "httpx", "httpcore", "urllib3", "kombu", "amqp"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def silence() -> None:
    """For commands that draw: what would be logged is shown in another form."""
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("otd.lab").setLevel(logging.CRITICAL)  # simulated servers that are stopped while they answer
