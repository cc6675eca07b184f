"""Runs an engine's program where it reaches one API and nothing else, and never holds the credential.

    program --> 127.0.0.1:port --> relay | unix socket | --> api proxy --> the one base address
            inside the sandbox, no network             on the host, adds the credential

Rules:
1. The credential exists in the proxy's process alone: not in the program's environment, arguments, files.
2. The proxy forwards the calls named to it and nothing else, follows no redirect, and counts them.
3. Whatever the program started is gone when the run returns, and so are socket and proxy.
"""
