"""`python -m services.ingress`: what `causeway ingress` and each of its worker processes run."""

import sys

from services.ingress.service import SERVICE
from shared.runtime.start import main

if __name__ == "__main__":
    sys.exit(main(SERVICE))
