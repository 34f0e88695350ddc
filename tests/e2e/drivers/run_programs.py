"""Runs several Python programs in one process, because SDKs are slow to import, each as a main program of its own.

Each line of the input is a program as JSON, ``{"arguments", "environment"}``, the first of the arguments being its path;
each line of the output is what came of it, ``{"status", "stdout", "stderr"}``. It imports nothing of the tests.
"""

import contextlib
import io
import json
import os
import runpy
import sys
import traceback


def run(arguments, environment):
    stdout, stderr, status = io.StringIO(), io.StringIO(), 0
    before, sys.argv = dict(os.environ), arguments
    os.environ.update(environment)
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            runpy.run_path(arguments[0], run_name="__main__")
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
            if isinstance(end.code, str):
                sys.stderr.write(end.code + "\n")
        except BaseException:
            status = 1
            traceback.print_exc()
    os.environ.clear()
    os.environ.update(before)
    return {"status": status, "stdout": stdout.getvalue(), "stderr": stderr.getvalue()}


for line in sys.stdin:
    print(json.dumps(run(**json.loads(line))), flush=True)
