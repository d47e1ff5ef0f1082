"""Filing a period: from what the logs hold to a signed report, its rendering and its bundle."""
