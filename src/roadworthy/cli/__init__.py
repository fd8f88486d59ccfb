"""The command line: `roadworthy`.

Every command is a thin shell around the same calls that a program would make. Commands live
in modules of their own that are loaded when they are asked for, so that `roadworthy --help`
does not wait for a server's libraries.
"""

from roadworthy.cli.root import PROGRAM, root

__all__ = ["PROGRAM", "root"]
