"""``python -m native_build``: what was built."""

import sys

from native_build.record import main

sys.exit(main())
