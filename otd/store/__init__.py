"""The truth: work, rooms, desired lists and receipts, in SQLite or PostgreSQL."""

from otd.store.sql import SqlStore

__all__ = ["SqlStore"]
