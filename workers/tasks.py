"""The tasks: each hands a claimed piece of work to the centre. The claim travels along; the row says if it holds."""

from __future__ import annotations

from typing import Any

from workers import process
from workers.app import app


@app.task(name="otd.refresh")
def refresh(message: dict[str, Any]) -> None:
    process.carry_out(message)


@app.task(name="otd.deliver")
def deliver(message: dict[str, Any]) -> None:
    process.carry_out(message)


@app.task(name="otd.other")
def other(message: dict[str, Any]) -> None:
    process.carry_out(message)
