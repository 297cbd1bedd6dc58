"""`python -m fastnn`: the command line where the script `fastnn` is not on the path."""

from .cli import main

main(prog_name="fastnn")
