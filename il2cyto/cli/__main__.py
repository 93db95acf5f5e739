"""``python -m il2cyto.cli``."""

from __future__ import annotations

from il2cyto.cli import main

if __name__ == "__main__":
    main()
