"""Impacts: what no longer stands because something under it was revoked, corrected or withdrawn.

`causes` finds what happened, `affected` what rests on it, `cures` what has been put right since; `service`
says so in `impact` statements of the log host, once each.
"""
