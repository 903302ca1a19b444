"""Makes the strategies and the reference of terms importable here."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "term"))
