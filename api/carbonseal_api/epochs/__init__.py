"""Epochs of the log of logs, and the background jobs that build and anchor them."""
