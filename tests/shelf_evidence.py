"""What is kept of the improvement of a shelf: its plan, its change, what the tests said."""

from hashlib import sha256

from schemas.suite import Outcome, SuiteEnd, SuiteReport

PROMPT, ANSWER, TRANSCRIPT = "Write the change.", '{"done": true}', "I looked at shelf/index.py first."
PATCH = """diff --git a/shelf/index.py b/shelf/index.py
index 1111111..2222222 100644
--- a/shelf/index.py
+++ b/shelf/index.py
@@ -1,5 +1,4 @@
-import os
 import sys
-from shelf import old
+from shelf.store import Store
 \x20
 def index(path):
diff --git a/shelf/store.py b/shelf/store.py
index 3333333..4444444 100644
--- a/shelf/store.py
+++ b/shelf/store.py
@@ -10,3 +10,3 @@ class Store:
     def put(self, book):
-        self.books.append( book )
+        self.books.append(book)
         return self
"""
FEATURE = """Feature: No import is left that nobody uses
  Scenario: The findings are gone
    Given the target at its base
    When the change is applied
    Then at most 0 findings of F401 are left
"""
ADR = """# Remove the imports, keep the names that others import

Status: accepted

Names in `__all__` are a promise to others, so they stay.
"""
VIEW = """C4Component
  Component(shelf_index, "shelf.index", "touched")
  Component(shelf_cli, "shelf.cli")
  Rel(shelf_cli, shelf_index, "imports")
"""


def commit(name: str) -> str:
    """Return an object id that follows from the name."""
    return sha256(name.encode()).hexdigest()[:40]


def suite(*failed: str) -> SuiteReport:
    """Return a run of six tests, of which some fail."""
    names = [
        f"tests/test_index.py::test_{word}" for word in ("load", "find", "sort", "save", "empty", "many")
    ]
    tests = {name: Outcome.FAILED if name.endswith(failed) else Outcome.PASSED for name in names}
    return SuiteReport(
        end=SuiteEnd.FINISHED, exit_code=int(bool(failed)), tests=tests, duration_ms=900 + len(failed)
    )
