"""Where records and log lines go. Fed from records; nothing here decides anything about a request."""
