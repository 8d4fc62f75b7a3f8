"""`python -m otd` is the `otd` command."""

from otd.cli import main

if __name__ == "__main__":
    main()
