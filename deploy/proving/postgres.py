"""A real Postgres of one's own, as durable as it is shipped: `fsync` and `synchronous_commit` stay on.

Debian's package `postgresql`; its programs are found where that puts them. Postgres refuses to run as root, so as root it
runs as another user.
"""

import contextlib
import itertools
import os
import pwd
import re
import signal
import subprocess
from pathlib import Path

from .calls import free_port
from .polling import Failed, expect, poll

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
USERS = ("postgres", "nobody")  # whoever of them there is
OWNER = "postgres"  # of the cluster
ROLE, DATABASE = "jobs", "jobs"  # of the service
PASSWORD = "canary-database-password-5b1e"


class Postgres:
    """One cluster in the scratch folder, at a port that it keeps over restarts; a role with a password and its database."""

    def __init__(self, proof, name="postgres"):
        if not PROGRAMS:
            proof.skip(proof.name, "postgres is not installed (Debian's package postgresql)")
            raise SystemExit(0)
        self.proof, self.name, self.port = proof, name, free_port()
        self.programs, self.child = PROGRAMS[-1], None
        self.folder = proof.scratch / name
        self.who, self.sessions = {}, itertools.count()
        self.folder.mkdir()
        if os.geteuid() == 0:
            user = next(pwd.getpwnam(name) for name in USERS if name in {known.pw_name for known in pwd.getpwall()})
            self.who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            # Others may pass through, and still see nothing.
            proof.scratch.chmod(0o711)
        self.data = self.folder / "data"
        secret = proof.scratch / f"{name}.password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run("initdb", "--pgdata", self.data, "--username", OWNER, "--pwfile", secret, "--auth=scram-sha-256",
                  "--encoding=UTF8", "--locale=C", **self.who)
        self.start()
        self.sql(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'", database="postgres")
        self.create(DATABASE)

    @property
    def url(self):
        return self.url_of(DATABASE)

    def url_of(self, database):
        return f"postgres://{ROLE}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def create(self, database, more=""):
        self.sql(f"CREATE DATABASE {database} OWNER {ROLE} {more}", database="postgres")

    def start(self, ready=True):
        """Starts it; with `ready` it takes connections on return, after recovery."""
        command = [self.programs / "postgres", "-D", self.data, "-p", self.port, "-c", "listen_addresses=127.0.0.1",
                   "-c", f"unix_socket_directories={self.folder}", "-c", "logging_collector=off", "-c", "max_connections=40",
                   "-c", "restart_after_crash=on", "-c", "log_min_messages=log"]
        self.child = self.proof.start(command, log=f"{self.name}.log", **self.who)
        if ready:
            self.wait()
        return self

    def wait(self):
        def answers():
            expect(self.child.poll() is None, f"{self.name} does not start")
            return self._call("postgres", "SELECT 1").returncode == 0
        poll(f"{self.name} takes connections", answers)

    def stop(self, how=signal.SIGINT):
        """SIGINT: fast, with a checkpoint; SIGQUIT: immediate, as in a crash."""
        self.proof.end(self.child, how)

    def crash(self):
        """Ends it at once, so that its next start must recover, and starts it again."""
        self.stop(signal.SIGQUIT)
        self.start()

    def restart(self):
        self.stop()
        self.start()

    def processes(self):
        """The postmaster and those that serve its connections."""
        children = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text().split()
        return [self.child.pid, *map(int, children)]

    @contextlib.contextmanager
    def frozen(self):
        """It keeps its connections, the system takes further ones for it, and nothing of it runs."""
        stopped = []
        try:
            # The postmaster first, so that no process is added meanwhile.
            os.kill(self.child.pid, signal.SIGSTOP)
            stopped.append(self.child.pid)
            for process in self.processes()[1:]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGSTOP)
                    stopped.append(process)
            yield
        finally:
            for process in stopped:
                # One that had ended before it was stopped is gone once the postmaster runs again.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)

    def sql(self, statement, database=DATABASE):
        """Runs a statement as the cluster's owner; its rows, lists of texts."""
        done = self._call(database, statement)
        if done.returncode != 0:
            raise Failed(f"{self.name}: {statement}: {done.stderr}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    @contextlib.contextmanager
    def session(self, *statements, database=DATABASE):
        """A connection that has run these in one transaction and keeps it open."""
        command, env = self._psql(database)
        name = f"session-{next(self.sessions)}"
        # psql says nothing at once through a pipe, so the server is asked how far it has got.
        state = (f"SELECT 1 FROM pg_stat_activity WHERE application_name = '{name}' "
                 "AND state = 'idle in transaction' AND query LIKE 'SELECT 1%'")
        with subprocess.Popen(command, env={**env, "PGAPPNAME": name}, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              text=True, start_new_session=True) as psql:
            psql.stdin.write("".join(f"{statement};\n" for statement in ("BEGIN", *statements, "SELECT 1")))
            psql.stdin.flush()

            def held():
                expect(psql.poll() is None, f"{self.name} refuses {statements}")
                return self.sql(state, database="postgres")
            try:
                poll(f"{statements}", held)
                yield
            finally:
                psql.stdin.close()
                psql.wait()

    def _psql(self, database):
        env = {"PATH": os.environ["PATH"], "PGPASSWORD": PASSWORD, "PGCONNECT_TIMEOUT": "10"}
        return [str(self.programs / "psql"), "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1",
                "-h", "127.0.0.1", "-p", str(self.port), "-U", OWNER, "-d", database], env

    def _call(self, database, statement):
        command, env = self._psql(database)
        return subprocess.run([*command, "-c", statement], env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)

    def _run(self, program, *arguments, **more):
        self.proof.check_run(self.programs / program, *arguments, cwd=self.folder,
                             env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, **more)


def bytes_of(text):
    """A `bytea` as psql prints it."""
    expect(re.fullmatch(r"\\x([0-9a-f]{2})*", text), f"no bytea: {text!r}")
    return bytes.fromhex(text[2:])
