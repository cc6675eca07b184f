"""What `aps --help` says of each command in a line that fits 80 columns, and how to begin."""

import typer

LINES = {
    "improve": "Improve TARGET: prove changes, land them on a branch.",
    "request": "Have what you ask for written, proven and landed.",
    "discover": "Only look: what would be improved in TARGET.",
    "up": "Run all eight services until stopped.",
    "run": "Run one service until stopped.",
    "status": "Ask each component how it is.",
    "monitor": "Watch the whole in a terminal.",
    "doctor": "Check everything, and name the cures.",
    "logs": "Show what the services logged.",
    "replay": "Build views anew from the log, and compare.",
    "backup": "Write one archive of everything that lasts.",
    "restore": "Put an archive back, or a log from the journal.",
    "pause": "Halt all new work at once, or a target's.",
    "resume": "Let work begin again.",
    "setup": "Declare the streams on servers of your own.",
    "reset": "Remove what this data folder holds.",
    "improvements": "See improvements, decide about them, try again.",
    "claims": "See who works on what, and free what is held.",
    "runs": "See and cancel the calls of engines.",
    "budgets": "See what engines may still cost.",
    "deployments": "See the moves of release branches.",
    "dead": "See and replay events that roles gave up on.",
    "events": "Read, follow, verify and export the log.",
    "views": "See the views, and build them anew.",
    "fork": "Open the log up to a moment as its own world.",
    "describe": "Say what an event, endpoint or workflow is for.",
    "process": "Export and validate APS documents.",
    "config": "The settings in effect.",
    "token": "Let people and programs in, or out.",
    "keys": "See, rotate and delete keys of sealed content.",
}
EXAMPLES = """\b
Examples:
  aps improve ~/src/project
  aps improve sdist:toolz==1.2.0 --limit 5 --dry-run
  aps request ~/src/project "parse() should accept an empty list"
  aps improvements list --status testing_complete
  aps improvements rollback --all --target project"""


def summarise(app: typer.Typer) -> None:
    """Give each command and topic of `app` its line."""
    for command in app.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        command.short_help = LINES[name]
    for one in app.registered_groups:
        one.short_help = LINES[one.name or ""]
