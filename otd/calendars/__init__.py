"""Calendars: where Readings come from. One module per kind (memory, graph, ews, files), one contract for all of them.

A kind's module is imported only when a calendar of that kind is configured: what they stand on is heavy. The plain
values that settings fill in are in `access`.
"""
