"""The process of the centre that the network may call: health, pairing and whatever else brings its routes.

It writes rows and nothing else: it holds no password of the broker's and speaks to no relay. See `otd.serving` for
what is put together, `otd.inbound` for TLS and connections.
"""
