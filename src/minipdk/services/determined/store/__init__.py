"""The database of the service: its tables (`schema`), and wake-ups for requests that wait for a change (`changes`)."""
