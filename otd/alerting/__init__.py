"""How people are told of alerts: by mail and by webhook."""
