"""Prints the import graph of packages as JSON: `graph_probe.py ROOTS PACKAGES` (comma-separated).

Run as a program of its own so that the target's folders are on nobody else's import path. Reads source
only: the packages are found, never imported.
"""

import json
import sys

import grimp


def main(roots: str, packages: str) -> None:
    """Write `{module: [modules it imports]}` to standard output."""
    sys.path[:0] = roots.split(",")
    names = packages.split(",")
    graph = grimp.build_graph(*names, cache_dir=None, exclude_type_checking_imports=False)
    edges = {
        module: sorted(graph.find_modules_directly_imported_by(module)) for module in sorted(graph.modules)
    }
    sys.stdout.write(json.dumps(edges))


if __name__ == "__main__":
    main(*sys.argv[1:])
