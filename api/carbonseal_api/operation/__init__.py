"""Running the service: its components' states, metrics, request log, and the book of background jobs."""
