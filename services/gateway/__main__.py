"""Runs the gateway as a program of its own: `python -m services.gateway`."""

import gc

from services.gateway.serving import NAME, run_gateway
from services.runtime.program import run_program

# A request makes hundreds of objects that end with it. By default each few requests have all that is young
# looked through for cycles.
YOUNG = 20_000

if __name__ == "__main__":
    gc.set_threshold(YOUNG, 20, 20)
    run_program(NAME, run_gateway)
