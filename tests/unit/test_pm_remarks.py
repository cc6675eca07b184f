"""What PM remarks about the Python a project declares."""

import pytest

from services.pm.remarks import python_remark


@pytest.mark.parametrize(
    ("texts", "remarked"),
    [
        ({"pyproject.toml": '[project]\nrequires-python = ">=3.9"\n'}, True),
        ({"pyproject.toml": '[project]\nrequires-python = ">=3.10"\n'}, False),
        ({"PKG-INFO": "Metadata-Version: 2.1\nRequires-Python: >=2.5, !=3.0.*\n"}, True),
        ({"pyproject.toml": "not toml ["}, False),
        ({"pyproject.toml": '[project]\nrequires-python = "whatever"\n'}, False),
        ({}, False),
    ],
)
def test_an_older_declared_python_is_remarked(texts: dict[str, str], remarked: bool) -> None:
    assert bool(python_remark(texts, "py310")) is remarked
