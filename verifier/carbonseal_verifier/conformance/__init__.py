"""Conformance: other people's vectors, and ours, run through the production code of this checkout.

`vector_file` reads a file within limits, `families` names the families and what each reads, one module a
group of families turns vectors into cases, `case` judges what came out, `deviations` lists where we refuse on
purpose what a suite accepts. The command is `conformance_cli`. Left out: making vectors, which tests/vectors
does.
"""
