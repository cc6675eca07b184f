"""Runs the projector as a program of its own: `python -m services.projector`."""

from services.projector.running import NAME, run_projector
from services.runtime.program import run_program

if __name__ == "__main__":
    run_program(NAME, run_projector)
