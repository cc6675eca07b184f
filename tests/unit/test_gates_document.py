"""The table of the gates in the documentation is the catalogue."""

from pathlib import Path

from services.gates.catalogue import GATES

DOCUMENT = Path(__file__).parents[2] / "docs" / "gates.md"


def test_every_gate_stands_in_the_documentation_with_its_version_and_what_it_protects() -> None:
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    assert rows == [f"| `{gate.name}` | {gate.version} | {gate.protects} |" for gate in GATES]
