"""Carbonseal: the transparency service: registration, sequencing, publishing, anchoring."""

import sys
from typing import Final

# As it stood before web3 came in: one of its parts raises the limit to 100,000 for the whole process, where
# deeply nested hostile JSON overflows the C stack instead of being refused. `chain_client` puts it back.
RECURSION_LIMIT: Final = sys.getrecursionlimit()
