"""The face: the EWS server that a relay serves to Polycom endpoints, which fetch their lists and cannot be pushed to.

app (the ASGI app), soap (envelopes), operations (the table) with reading, sync, directory and availability, items and
served (a list made ready), body (dial strings by strategy), ids, restrictions, autodiscover, credentials, sightings
(what endpoints really send), tls and listening (certificates and the server).
"""
