"""Run the command ``mlp`` as ``python -m multilayer``."""

from multilayer.cli.main import run

if __name__ == "__main__":
    run()
