"""Backup and restore of a deployment on one machine, and whether a restored one continues the same logs."""
