"""Entry point of `roadworthy` and `python -m roadworthy`."""

from roadworthy.cli import PROGRAM, root

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit status."""
    root.main(prog_name=PROGRAM)


if __name__ == "__main__":
    main()
