"""``python -m ptpstack``."""

import sys

from ptpstack.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
