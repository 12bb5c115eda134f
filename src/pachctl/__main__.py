"""``python -m pachctl``."""

from pachctl.cli import main

if __name__ == "__main__":
    main()
