"""The way between the centre and its relays: in one process (local), over a broker (amqp)."""
