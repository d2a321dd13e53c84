"""The parts of scripts/deploy. They need the standard library of Python 3.9 alone."""
