"""One Touch Dial: a Join button on Cisco and Polycom room systems, read from the room's calendar."""

__version__ = "0.1.0"
