"""The shapes the wider family of APS documents uses, brought into the one shape of `schemas.aps`.

Rules
1. Only the tables here rename or move a key; its place in the text is remembered.
2. Nothing is dropped but an empty value: `roles:` without a value is the same as no `roles`.
3. What stands inside `process` and beside it comes together in one list.
"""

from schemas.aps import ONE_OR_MANY
from services.documents.tree import Branch, Items, Node, Place

SPELLINGS: dict[str, str] = {
    "messages": "message",
    "claims": "claim",
    "bug_reports": "bug_report",
    "test_result": "test_results",
}
INTO_PROCESS = ("status", "handoff")
KEYS: dict[str, dict[str, str]] = {
    "process": {"process_id": "id"},
    "claim": {"agent": "agent_id"},
    "message": {"sender": "from", "recipient": "to"},
    "test_results": {
        "overall_status": "status",
        "validation_timestamp": "timestamp",
        "qa_agent": "agent",
        "scenarios_tested": "scenarios",
        "scenarios_validated": "scenarios",
    },
    "bug_report": {"qa_agent": "agent", "summary": "title", "reproduction_steps": "steps_to_reproduce"},
    "architecture": {"risk_class": "risk"},
}


def brought_together(root: Branch) -> Branch:
    """Return the document with every part where `schemas.aps.Document` has it. Changes `root`."""
    _without_empty(root)
    process = root.get("process")
    _lift(root, *([process] if isinstance(process, Branch) else []))
    if isinstance(process, Branch):
        for key in INTO_PROCESS:
            if key in root and key not in process:
                process.put(key, *root.take(key))
    results = root.get("test_results")
    if isinstance(results, Branch) and "scenarios" not in results and "scenarios_tested" in root:
        results.put("scenarios", *root.take("scenarios_tested"))
    for kind, names in KEYS.items():
        part = root.get(kind)
        for entry in part if isinstance(part, Items) else [part]:
            if isinstance(entry, Branch):
                _rename(entry, names)
    return root


def _lift(root: Branch, *others: Branch) -> None:
    """Bring every spelling of a part together in the root, its own entries first."""
    for key in (*ONE_OR_MANY, *SPELLINGS):
        for holder in (root, *others):
            if key in holder and isinstance(holder[key], Branch | Items):
                _append(root, SPELLINGS.get(key, key), *holder.take(key))


def _append(root: Branch, key: str, value: Node, place: Place) -> None:
    if key not in root:
        root.put(key, value, place)
        return
    together = Items(root.places[key])
    for node, at in (root.take(key), (value, place)):
        if isinstance(node, Items):
            for entry, where in zip(node, node.places, strict=True):
                together.add(entry, where)
        else:
            together.add(node, at)
    root.put(key, together, together.place)


def _rename(branch: Branch, names: dict[str, str]) -> None:
    for old, new in names.items():
        if old in branch and new not in branch:
            branch.put(new, *branch.take(old))


def _without_empty(node: Node) -> None:
    if isinstance(node, Items):
        for entry in node:
            _without_empty(entry)
    elif isinstance(node, Branch):
        for key in [key for key, value in node.items() if value is None]:
            node.take(key)
        for value in node.values():
            _without_empty(value)
