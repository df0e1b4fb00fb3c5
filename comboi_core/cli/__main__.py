"""`python -m comboi_core.cli`: the same as the command `comboi`."""

from comboi_core.cli.commands import main

main()
