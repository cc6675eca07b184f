"""Which unused imports stay, with the real ruff."""

from pathlib import Path

from services.engines.deterministic.fixing import apply
from services.engines.deterministic.imports import OWN, TAKEN
from services.engines.deterministic.recipe import Recipe

MODULES = {
    "core.py": "import os\nimport sys\n\n\ndef pick(x):\n    return x\n",
    "register.py": "HANDLERS = []\n",
    "api.py": "from tr.core import pick\nfrom .core import pick as unlike\nimport tr.register\nimport sys\n",
    "compat.py": "from urllib.parse import quote\nfrom urllib.parse import unquote\nimport json\n",
    "user.py": "import tr.compat\nfrom tr.compat import (\n    quote,\n)\n\nSEEN = quote, tr.compat.json\n",
}


def target(root: Path) -> Path:
    (root / "src" / "tr").mkdir(parents=True)
    for name, text in MODULES.items():
        (root / "src" / "tr" / name).write_text(text)
    return root


async def test_what_a_module_hands_on_or_runs_for_its_effect_is_not_removed(tmp_path: Path) -> None:
    tree = target(tmp_path)
    done = await apply(tree, Recipe(rule="F401", packages=("src/tr",)))
    left = {name: (tree / "src" / "tr" / name).read_text() for name in MODULES}
    assert left["api.py"] == MODULES["api.py"].replace("import sys\n", "")
    assert left["compat.py"] == MODULES["compat.py"].replace("from urllib.parse import unquote\n", "")
    assert not left["core.py"].lstrip().startswith("import")
    reasons = {remaining.site.text: remaining.reason for remaining in done.remaining}
    assert reasons["import tr.register"] == OWN
    assert reasons["from tr.core import pick"] == OWN
    assert reasons["from urllib.parse import quote"] == TAKEN
