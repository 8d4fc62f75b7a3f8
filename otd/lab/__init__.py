"""The lab: simulated Exchange and endpoints over real sockets on loopback, strict where the real ones are."""
