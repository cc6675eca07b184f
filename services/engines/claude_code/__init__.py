"""The Claude Code program as an engine: started headless for each task, confined, judged by what it leaves.

Rules:
1. Nothing that lies in a target configures it: no settings, hooks, instructions, servers or skills of theirs.
2. Its folder is the session: kept for going on, shown to no other session.
3. What was answered and spent is read from its result object alone; no result is a failure.
4. A denied edit makes the answer worthless: it may tell of changes that are not there.
"""
