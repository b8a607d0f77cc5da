"""``python -m multilayer`` is the command ``mlp``."""

from multilayer.cli.main import run

if __name__ == "__main__":
    run()
