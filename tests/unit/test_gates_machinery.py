"""Which files are machinery: what builds, packages, installs or checks a project, in any folder."""

import pytest

from services.gates.machinery import is_machinery

MACHINERY = """
pyproject.toml setup.py setup.cfg MANIFEST.in conftest.py noxfile.py tasks.py tox.ini .github/workflows/ci.yml
requirements.txt requirements-dev.txt test-requirements.txt requirements.in constraints.txt constraints-ci.txt
requirements/base.txt requirements/ci/base.in Pipfile environment.yml environment.yaml package.json
poetry.lock uv.lock pdm.lock Pipfile.lock pylock.toml pylock.dev.toml package-lock.json
yarn.lock pnpm-lock.yaml Makefile makefile GNUmakefile rules.mk CMakeLists.txt meson.build BUILD BUILD.bazel
WORKSPACE recipe/meta.yaml environment-dev.yml
Dockerfile Dockerfile.dev web.dockerfile Containerfile compose.yaml compose.override.yml docker-compose.yml
docker-compose.dev.yaml justfile .justfile Taskfile.yml Taskfile.yaml Taskfile.dist.yml
site.pth sitecustomize.py usercustomize.py .gitmodules .gitattributes
"""
SOURCE = """
pkg/a.py pkg/setup_things.py pkg/requirements.py pkg/requirements/model.py pkg/build.py pkg/makefile.py
pkg/compose.py README.md docs/requirements.md docs/install.txt docs/dockerfile.md pkg/build pkg/workspace
pkg/package.json.j2 pkg/environments.yml pkg/templates/compose_mail.yml pkg/environment.py pkg/uv.py
run.sh notes.txt .gitignore
"""


@pytest.mark.parametrize("path", MACHINERY.split())
def test_what_builds_packages_installs_or_checks_is_machinery(path: str) -> None:
    assert is_machinery(path)


@pytest.mark.parametrize("path", MACHINERY.split())
def test_machinery_is_known_in_any_folder(path: str) -> None:
    if not path.startswith(".github/"):
        assert is_machinery(f"services/web/{path}")


@pytest.mark.parametrize("path", SOURCE.split())
def test_what_belongs_to_the_product_is_none(path: str) -> None:
    assert not is_machinery(path)
