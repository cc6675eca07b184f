"""Environments built for real, from the package index, with build back-ends kept in the sandbox."""

import asyncio
import textwrap
from datetime import UTC, datetime

import pytest

from schemas.suite import Outcome, SuiteEnd
from services.sandbox.detect import detect
from services.sandbox.port import Limits
from services.workspace.checkout import Workspace
from services.workspace.environments.environment import build_environment
from services.workspace.files import tree_files
from services.workspace.git.repository import Identity, Repository
from services.workspace.sources.sdist import UnknownSdist, WrongHash, fetch_sdist, unpack_as_repository
from services.workspace.suites.suite import run_suite

ME = Identity("n", "n@example.invalid")
WHEN = datetime(2024, 1, 1, tzinfo=UTC)
GENERATING = """
    import pathlib, os
    from setuptools import setup
    from setuptools.command.build_py import build_py

    class Generate(build_py):
        def run(self):
            super().run()
            made = pathlib.Path(self.build_lib) / "pkg" / "_made.py"
            made.write_text("version = " + repr(os.environ["SETUPTOOLS_SCM_PRETEND_VERSION"]))

    try:
        pathlib.Path({canary!r}).write_text("written by a build")
    except OSError:
        pass
    setup(name="generating", packages=["pkg"], cmdclass={{"build_py": Generate}})
"""


async def repository_of(folder, files):
    repository = Repository(folder)
    await repository.initialise(bare=False)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(content))
    commit = await repository.commit_tree(await repository.import_folder(folder), (), "one", ME, WHEN)
    await repository.set_ref("refs/heads/base", commit)
    return repository


async def run(root, repository, environment, sandbox, **options):
    clone = Workspace(root).repository("target")
    commit = await clone.clone_from(repository.path)
    async with Workspace(root).worktree(clone, "qa", commit, environment=environment) as tree:
        report = await run_suite(sandbox, environment, tree, Limits(wall_seconds=120), **options)
        return report, await clone.write_tree(tree) == await clone.tree(commit), tree_files(tree)


async def test_a_published_project_goes_from_the_index_to_a_green_suite(tmp_path):
    sandbox = await detect()
    fetched = await fetch_sdist("toolz", "1.2.0", None, tmp_path / "downloads", sandbox)
    again = await fetch_sdist("toolz", "1.2.0", fetched.sha256, tmp_path / "downloads", sandbox)
    assert again == fetched
    repository = await unpack_as_repository(fetched, tmp_path / "sources" / "toolz")
    twin = await unpack_as_repository(fetched, tmp_path / "sources" / "twin")
    assert await repository.head() == await twin.head()
    assert await (await unpack_as_repository(fetched, repository.path)).head() == await twin.head()
    environment = await build_environment(sandbox, repository, await repository.head(), tmp_path)
    assert environment.layout.packages == ("tlz", "toolz")
    assert environment.notes == ()
    report, unchanged, _ = await run(tmp_path, repository, environment, sandbox, coverage=True)
    assert (report.end, report.passed, report.failed) == (SuiteEnd.FINISHED, 192, 0)
    assert unchanged
    assert len(report.covered["toolz/itertoolz.py"]) > 200


async def test_what_the_index_does_not_have_is_said(tmp_path):
    sandbox = await detect()
    with pytest.raises(
        UnknownSdist, match=r"toolz has no source distribution of version 99\.9; there are: .*1\.2\.0"
    ):
        await fetch_sdist("toolz", "99.9", None, tmp_path, sandbox)
    with pytest.raises(UnknownSdist, match="no source distribution called no-such-distribution-of-that-name"):
        await fetch_sdist("no-such-distribution-of-that-name", "1", None, tmp_path, sandbox)
    with pytest.raises(UnknownSdist, match="write NAME==VERSION"):
        await fetch_sdist("../evil", "1", None, tmp_path, sandbox)
    with pytest.raises(WrongHash, match="expected 0000"):
        await fetch_sdist("toolz", "1.2.0", "0" * 64, tmp_path, sandbox)


async def test_one_of_many_askers_builds_and_generated_files_reach_the_work_trees(tmp_path):
    canary = tmp_path / "canary"
    files = {
        "setup.py": GENERATING.format(canary=str(canary)),
        "pkg/__init__.py": "",
        "tests/test_made.py": """
            from importlib.metadata import version
            from pathlib import Path
            import pkg, pkg._made
            def test_generated(): assert pkg._made.version == "3.1"
            def test_metadata(): assert version("generating")
            def test_from_the_tree(): assert Path(pkg.__file__).is_relative_to(Path.cwd())
            """,
        "requirements-test.txt": "no-such-distribution-of-that-name\niniconfig\n",
    }
    repository = await repository_of(tmp_path / "source", files)
    await repository.git("tag", "v3.1")
    sandbox, head, told = await detect(), await repository.head(), [[], [], []]
    built = await asyncio.gather(
        *(build_environment(sandbox, repository, head, tmp_path, progress=each.append) for each in told)
    )
    assert built[0] == built[1] == built[2]
    assert sorted(map(bool, told)) == [False, False, True]
    assert built[0].overlay == ("pkg/_made.py",)
    assert len(built[0].notes) == 1
    assert "no-such-distribution-of-that-name could not be installed" in built[0].notes[0]
    report, unchanged, present = await run(tmp_path, repository, built[0], sandbox)
    assert set(report.tests.values()) == {Outcome.PASSED}, report.failures
    assert len(report.tests) == 3
    assert unchanged
    assert "pkg/_made.py" in present
    assert "/pkg/_made.py" in (tmp_path / "repositories" / "target.git" / "info" / "exclude").read_text()
    assert not canary.exists()


async def test_a_package_that_does_not_build_is_run_from_its_tree_and_a_crashed_build_is_repeated(tmp_path):
    files = {
        "setup.py": "raise SystemExit('cannot be built')\n",
        "pyproject.toml": "[project]\nname='x'\nversion='1'\ndependencies=['iniconfig']\n"
        "[build-system]\nrequires=['setuptools']\n",
        "pkg/__init__.py": "",
        "test_a.py": "import iniconfig, pkg\ndef test_a(): pass\n",
    }
    repository = await repository_of(tmp_path / "source", files)
    sandbox, head = await detect(), await repository.head()

    class Killed(Exception):  # noqa: N818 -- what happened
        """Stands for the end of the process."""

    def die(text):
        if text.startswith("installing"):
            raise Killed

    with pytest.raises(Killed):
        await build_environment(sandbox, repository, head, tmp_path, progress=die)
    environment = await build_environment(sandbox, repository, head, tmp_path)
    assert "could not be built" in environment.notes[0]
    assert "cannot be built" in environment.log.read_text()
    report, _, _ = await run(tmp_path, repository, environment, sandbox)
    assert report.tests == {"test_a.py::test_a": Outcome.PASSED}
    again = await build_environment(sandbox, repository, head, tmp_path, progress=die)
    assert again == environment


@pytest.mark.timeout(240)
async def test_a_build_does_not_follow_links_out_of_the_tree(tmp_path):
    files = {"pyproject.toml": '[project]\nname = "linked"\nversion = "1"\n', "linked/__init__.py": ""}
    (tmp_path / "source" / "linked").mkdir(parents=True)
    (tmp_path / "source" / "linked" / "root").symlink_to("/")
    (tmp_path / "source" / "above").symlink_to("../..")
    repository = await repository_of(tmp_path / "source", files)
    environment = await build_environment(await detect(), repository, await repository.head(), tmp_path)
    assert environment.notes == ()
    assert environment.layout.packages == ("linked",)
