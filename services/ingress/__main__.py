"""`python -m services.ingress`: what `causeway ingress` and each of its worker processes run."""

import sys

from services.ingress.app import run
from shared.runtime.service import main

if __name__ == "__main__":
    sys.exit(main("ingress", run))
