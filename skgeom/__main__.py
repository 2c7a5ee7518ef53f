"""``python -m skgeom``."""

import sys

from skgeom.report._command import main

if __name__ == "__main__":
    sys.exit(main())
