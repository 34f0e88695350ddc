"""Runs several Python programs in one process, because SDKs are slow to import, each as a main program of its own.

The paths are the arguments; what came of them is printed as a JSON list of ``{"status", "stdout", "stderr"}``. It
imports nothing of the tests.
"""

import contextlib
import io
import json
import runpy
import sys
import traceback


def run(path):
    stdout, stderr, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
            if isinstance(end.code, str):
                sys.stderr.write(end.code + "\n")
        except BaseException:
            status = 1
            traceback.print_exc()
    return {"status": status, "stdout": stdout.getvalue(), "stderr": stderr.getvalue()}


print(json.dumps([run(path) for path in sys.argv[1:]]))
