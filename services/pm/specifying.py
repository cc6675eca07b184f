"""Has an engine write what must hold after a request was done."""

from pathlib import Path

from events.envelope import Cause
from events.improvement_facts import Abandoned, Discovered, RequirementsSpecified
from events.target import BaselineRecorded, Target
from services.asking.consulting import Consultant, Errand
from services.asking.context import context_of, in_prompt
from services.gherkin.vocabulary import request_feature
from services.pm.asked import Wanted, numbered
from services.prompting.material import material
from services.prompting.template import Template
from services.runtime.log import Log
from services.workspace.files import read_regular

GHERKIN = "text/x-gherkin"
REQUIREMENTS = Template.load(
    "services.pm",
    "requirements",
    takes=("title", "base", "packages", "suite", "request", "context", "readme", "files"),
)
READMES = ("README.md", "README.rst", "README.txt", "README")
README_CHARACTERS = 6000
README_BYTES = 200_000
FILES_CHARACTERS = 12_000


async def specified(
    book: Log,
    consultant: Consultant,
    id: str,
    found: Discovered,
    target: Target,
    tree: Path,
    files: tuple[str, ...],
    token: int,
    cause: Cause,
) -> tuple[RequirementsSpecified, str] | Abandoned:
    """Return the requirements with their feature, or why the request is not done. Raises `NotAnswered`."""
    scan = target.scans[found.scan].done
    packages = scan.packages if scan else ()
    title = material("title", "project", target.registered.title if target.registered else "")
    request = material("request", "a person", found.why)
    context = await context_of(book, target, found.scan)
    readme = material("document", "README", _readme(tree), README_CHARACTERS)
    names = material("file names", "repository", "\n".join(files), FILES_CHARACTERS)
    prompt = REQUIREMENTS.filled(
        title=title.fenced,
        base=found.base[:12],
        packages=", ".join(packages),
        suite=suite_in_words(target.baseline_at(found.base)),
        request=request.fenced,
        context=in_prompt(context),
        readme=readme.fenced,
        files=names.fenced,
    )
    only = target.scans[found.scan].requested.engine
    read = (title, request, *context, readme, names)
    errand = Errand("requirements", REQUIREMENTS, prompt, tree, inputs=found.base, only=only, materials=read)
    wanted = (await consultant.ask(errand, Wanted, id, cause)).value
    if wanted.refusal:
        return Abandoned(reason=wanted.refusal)
    feature = request_feature(wanted.title, found.why, found.base, wanted.told, wanted.proven)
    fact = RequirementsSpecified(
        claim=token, requirements=numbered(wanted), feature=await book.keep(feature, f"{id}.feature", GHERKIN)
    )
    return fact, feature


def suite_in_words(baseline: BaselineRecorded | None) -> str:
    """Say how the suite stood before any change."""
    if baseline is None:
        return "not run yet"
    if not baseline.usable:
        return f"proves nothing: {baseline.reason}"
    return f"{baseline.passed} tests pass, {baseline.failed} fail"


def _readme(tree: Path) -> str:
    for name in READMES:
        if (content := read_regular(tree / name, limit=README_BYTES)) is not None:
            return content.decode("utf-8", "replace")
    return ""
