"""Where every organisation stands, at a glance: for those who supervise, and for the public page."""
