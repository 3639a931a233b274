"""`python -m stream`: the commands that need no training, for an image without it."""

from stream.cli import COMMANDS, program

if __name__ == "__main__":
    program(COMMANDS)
