"""Drivers: how a relay speaks to each kind of endpoint."""
