"""`python -m kizuna.cli`: the command line without the console script."""

from kizuna.cli import main

main()
