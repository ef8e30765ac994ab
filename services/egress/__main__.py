"""`python -m services.egress`: what `causeway egress` and each of its worker processes run."""

import sys

from services.egress.service import SERVICE
from shared.runtime.start import main

if __name__ == "__main__":
    sys.exit(main(SERVICE))
