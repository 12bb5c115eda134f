"""Leave a supervisor behind: ``python -m minipdk.cluster HOME``."""

import os
import sys
from pathlib import Path

from minipdk.cluster.supervisor import supervise
from minipdk.common.home import load

if os.fork() == 0:  # the parent ends immediately, so that its own parent has no child to wait for
    supervise(load(Path(sys.argv[1])))
