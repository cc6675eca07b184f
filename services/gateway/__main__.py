"""Runs the gateway as a program of its own: `python -m services.gateway`."""

from services.gateway.serving import NAME, run_gateway
from services.runtime.program import run_program

if __name__ == "__main__":
    run_program(NAME, run_gateway)
