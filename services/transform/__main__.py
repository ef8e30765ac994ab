"""`python -m services.transform`: what `causeway transform` and each of its worker processes run."""

import sys

from services.transform.app import run
from shared.runtime.service import main

if __name__ == "__main__":
    sys.exit(main("transform", run))
