"""Where `otd lab` listens and whom it lets in. `otd init` writes settings that fit."""

HOST = "127.0.0.1"
CODECS: tuple[tuple[str, str, int], ...] = (("boardroom-codec", "roomos11", 8443), ("huddle-codec", "ce9.6", 8444))
"""The simulated codecs that `otd lab` starts: name, profile, HTTPS port."""
CODEC_USER = "admin"
CODEC_PASSWORD = "lab-password"  # noqa: S105 - of a simulated codec on loopback
