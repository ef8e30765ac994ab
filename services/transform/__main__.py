"""`python -m services.transform`: what `causeway transform` and each of its worker processes run."""

import sys

from services.transform.service import SERVICE
from shared.runtime.start import main

if __name__ == "__main__":
    sys.exit(main(SERVICE))
