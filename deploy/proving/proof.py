"""One run of a proof: its lines, its scratch folder, its processes, its exit code."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from .environment import where_from
from .polling import DEADLINE, Failed
from .processes import adopt_orphans, end_all, exit_on_signals


class Proof:
    """`name` as in `make name`; `scratch` goes with it; `cleanup` (an ExitStack) is closed before processes end."""

    def __init__(self, name):
        self.name, self.proven = name, 0
        self.scratch = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self.cleanup = contextlib.ExitStack()

    def ok(self, what):
        self.proven += 1
        print(f"ok {what}", flush=True)

    def say(self, what):
        print(f"-- {what}", flush=True)

    def relay(self, line):
        """A line of another program that keeps to the same words."""
        self.proven += line.startswith("ok ")
        print(line, flush=True)

    def skip(self, what, why):
        """CI fails on this word."""
        print(f"SKIPPED: {what}: {why}", flush=True)

    def need(self, *tools):
        """The path of the last tool; when one is missing the whole proof is skipped."""
        for tool in tools:
            path = shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/sbin")
            if path is None:
                self.skip(self.name, f"{tool} is not installed ({where_from(tool)})")
                raise SystemExit(0)
        return path

    def start(self, command, env=None, log="process.log", **more):
        """A process with its output in a file of the scratch folder. Nothing of this environment gets in but
        the path, unless `env` says so; it leads a group of its own, so that a terminal's Ctrl-C is not its."""
        env = {"PATH": os.environ["PATH"]} if env is None else env
        with open(self.scratch / log, "ab") as out:
            return subprocess.Popen([str(word) for word in command], env={"TMPDIR": str(self.scratch), **env},
                                    cwd=self.scratch, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                    start_new_session=True, **more)

    def end(self, child, how=signal.SIGTERM, timeout=DEADLINE):
        """Signals a process and waits for its exit code."""
        child.send_signal(how)
        try:
            return child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"{child.args[0]} does not end within {timeout} s of {how.name}") from None

    def check_run(self, *command, **more):
        """The output of a command that must succeed; otherwise it belongs to the failure."""
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **more)
        if done.returncode != 0:
            raise Failed(f"{' '.join(map(str, command))} ({done.returncode}):\n{done.stdout}")
        return done.stdout

    def run(self, main):
        """Runs `main(self)`, cleans up whatever happens, and exits."""
        adopt_orphans()
        exit_on_signals()
        status = 1
        try:
            main(self)
            print(f"-- {self.name}: {self.proven} proven", flush=True)
            status = 0
        except Failed as failure:
            self._not_ok(failure)
        except Exception as error:  # a fault of the proof, or a program that is gone
            traceback.print_exc()
            self._not_ok(repr(error))
        finally:
            self.cleanup.close()
            if left := end_all():
                print(f"not ok processes that do not end: {sorted(left)}", file=sys.stderr, flush=True)
                status = 1
            shutil.rmtree(self.scratch, ignore_errors=True)
        sys.exit(status)

    def _not_ok(self, what):
        print(f"not ok {self.name}: {what}", file=sys.stderr, flush=True)
        for log in sorted(self.scratch.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()[-25:]
            print(f"-- {log.name}\n" + "\n".join(lines), file=sys.stderr, flush=True)
