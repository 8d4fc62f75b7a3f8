"""Celery carries the centre's work; this is the only folder that knows of it.

    CELERY_BROKER_URL=amqp://... OTD_CONFIG=otd.toml celery -A workers.app worker -P threads -c 32

Celery remembers nothing: what is due is a row. The claimer in the worker claims rows and publishes them as tasks; a
task that is lost is claimed again when its lease has run out, and a task that comes twice finds its claim taken. For
now the relays are in the worker's process, so there is one worker for each installation.
"""
