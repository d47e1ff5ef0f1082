"""Carbonseal: the service, web pages, reports, background jobs and the carbonseal command."""
