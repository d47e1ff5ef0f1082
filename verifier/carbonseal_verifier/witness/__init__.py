"""A small witness of transparency logs (C2SP tlog-witness 1.0.0): cosigns a head only after proved growth.

`heads` keeps the newest cosigned head of each log on disk, `cosigner` decides, `serving` answers by HTTP. It
follows the logs that it was told of, anybody's, and leaves out TLS, bastions, entries and subtrees.
"""
