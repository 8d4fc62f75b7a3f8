"""Celery carries the centre's work; this is the only folder that knows of it.

    otd worker                                                            or, the same:
    OTD_CONFIG=otd.toml celery -A workers.app worker -P threads -c 32 -Q otd.refresh,otd.deliver,otd.other

Celery remembers nothing: what is due is a row. The claimer in each worker claims rows and publishes them as tasks for
whichever worker is free; a task that is lost is claimed again when its lease has run out, and a task that comes twice
finds its claim taken. Any number of workers share a PostgreSQL database; with SQLite they are all on one host.
"""
