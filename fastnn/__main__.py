"""The program `fastnn`, also as `python -m fastnn`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C is heard while that is still being loaded."""
    try:
        from .cli import main as run
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    run(prog_name="fastnn")


if __name__ == "__main__":
    main()
