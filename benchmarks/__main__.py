"""``python -m benchmarks [--small] [--peers PYTHON]``."""

from benchmarks.scoring.run import main

if __name__ == "__main__":
    main()
