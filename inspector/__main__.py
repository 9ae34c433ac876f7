"""`python -m inspector`: the same program as `inspect`."""

from inspector.cli import run

if __name__ == "__main__":
    run()
