"""The shape of a rule's code: it looks at a target and yields what it observed.

It raises InputMissing where a declared input is not there, and NotApplicable where nothing can be judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from carbonseal_verifier.quality.findings import Observation
from carbonseal_verifier.quality.scope import Target

RuleFunction = Callable[[Target], Iterator[Observation]]
