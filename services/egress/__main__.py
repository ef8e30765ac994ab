"""`python -m services.egress`: what `causeway egress` and each of its worker processes run."""

import sys

from services.egress.app import run
from shared.runtime.service import main

if __name__ == "__main__":
    sys.exit(main("egress", run))
