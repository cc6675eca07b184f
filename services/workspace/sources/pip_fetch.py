"""Downloads one source distribution with pip's own index code, building and running nothing of it.

Run as a script by a Python that has pip, so that every setting a person gave pip (indexes, folders of
links, certificates, proxies, credentials) counts. Writes one JSON object to standard output. It stands
alone: it imports nothing of ours. pip's internals may move: the caller treats exit code 3 as "cannot
say" and asks the sandboxed pip instead.
"""

import hashlib
import json
import sys
from pathlib import Path

CANNOT_SAY = 3


def find(name: str, version: str, folder: Path) -> dict[str, object]:
    """Download `name` `version` into `folder`; return its file name and hash, or the versions there are."""
    from pip._internal.commands.download import DownloadCommand  # noqa: PLC0415 -- a moved name is an answer
    from pip._internal.network.utils import HEADERS  # noqa: PLC0415 -- as above
    from pip._vendor.packaging.version import InvalidVersion, Version  # noqa: PLC0415 -- as above

    command = DownloadCommand("download", "")
    options, _ = command.parse_args(["--no-deps", "--no-binary", ":all:", "--quiet"])
    with command.main_context():
        session = command.get_default_session(options)
        finder = command._build_package_finder(options, session, ignore_requires_python=True)
        found = finder.find_all_candidates(name)
        try:
            wanted = Version(version)
        except InvalidVersion:
            return {"versions": sorted({str(one.version) for one in found})}
        fitting = [one for one in found if one.version == wanted]
        if not fitting:
            return {"versions": [str(v) for v in sorted({one.version for one in found})]}
        link = fitting[-1].link
        target = folder / Path(link.filename).name
        answer = session.get(link.url.split("#", 1)[0], headers=HEADERS, stream=True)
        answer.raise_for_status()
        digest = hashlib.sha256()
        with target.open("wb") as written:
            for chunk in answer.raw.stream(1 << 16, decode_content=False):
                digest.update(chunk)
                written.write(chunk)
        promised = link.hash if link.hash_name == "sha256" else None
        return {"file": target.name, "sha256": digest.hexdigest(), "promised": promised}


def main() -> int:
    """Fetch what the three arguments name: distribution, version, folder."""
    name, version, folder = sys.argv[1:]
    try:
        print(json.dumps(find(name, version, Path(folder))))  # noqa: T201 -- the script's answer
    except (ImportError, AttributeError, TypeError) as moved:
        print(f"this pip's internals are not the expected ones: {moved}", file=sys.stderr)  # noqa: T201 -- as above
        return CANNOT_SAY
    return 0


if __name__ == "__main__":
    sys.exit(main())
