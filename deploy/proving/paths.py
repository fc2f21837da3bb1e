"""Where the sources are, and what is made of them."""

import os
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
TARGET = (REPO / os.environ.get("CARGO_TARGET_DIR", "target")).absolute()
SERVICE = TARGET / "debug/infra-health"
SANDBOX = TARGET / "debug/examples/sandbox"
