"""What the proofs under deploy/ share: real processes, real upstream stand-ins, load, polling.

Standard library only. Nothing sleeps to wait: everything polls with a deadline. Every process that was
started is ended by its id, also after a failure.
"""

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
BINARY = REPO / "target/debug/infra-health"
SANDBOX = REPO / "target/debug/examples/sandbox"
DEADLINE = 30  # seconds, for whatever is waited for
POLL = 0.02


class Failed(Exception):
    """A promise that does not hold; its text says which."""


class Proof:
    """One run of a proof: scratch directory, processes, the count of promises kept."""

    def __init__(self, name):
        self.name, self.proven, self.processes = name, 0, []
        self.scratch = Path(tempfile.mkdtemp(prefix=f"{name}-"))

    def ok(self, what):
        self.proven += 1
        print(f"ok {what}", flush=True)

    def say(self, what):
        print(f"-- {what}", flush=True)

    def skip(self, test, why):
        print(f"SKIPPED: {test}: {why}", flush=True)

    def need(self, tool):
        """The path of a tool; without it the whole proof is skipped."""
        path = shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/sbin")
        if path is None:
            self.skip(self.name, f"{tool} is not installed")
            raise SystemExit(0)
        return path

    def start(self, command, env=None, log="process.log", **more):
        """A process whose output goes to a file in the scratch directory; it leads a group of its own."""
        with open(self.scratch / log, "ab") as out:
            child = subprocess.Popen([str(word) for word in command], env=env, stdin=subprocess.DEVNULL,
                                     stdout=out, stderr=subprocess.STDOUT, start_new_session=True, **more)
        self.processes.append(child)
        return child

    def end(self, child, how=signal.SIGTERM, timeout=DEADLINE):
        """Signals a process and waits for its exit code."""
        child.send_signal(how)
        try:
            return child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"{child.args[0]} does not end within {timeout} s of {how.name}") from None

    def run(self, main):
        """Runs the proof, cleans up whatever happens, and exits."""
        # Being told to end must clean up as well.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        status = 1
        try:
            main(self)
            status = 0
            print(f"-- {self.name}: {self.proven} proven", flush=True)
        except Failed as failure:
            print(f"not ok {failure}", file=sys.stderr, flush=True)
            self.show_logs()
        finally:
            for child in reversed(self.processes):
                if child.poll() is None:
                    # With its workers, which would outlive it.
                    os.killpg(child.pid, signal.SIGKILL)
                    child.wait()
            shutil.rmtree(self.scratch, ignore_errors=True)
        sys.exit(status)

    def show_logs(self):
        for log in sorted(self.scratch.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()[-25:]
            print(f"-- {log.name}\n" + "\n".join(lines), file=sys.stderr)


def expect(holds, what):
    if not holds:
        raise Failed(what)


def poll(what, holds, deadline=DEADLINE):
    """Asks until the answer is true, and returns it."""
    end = time.monotonic() + deadline
    while True:
        answer = holds()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {deadline} s")
        time.sleep(POLL)


def free_port():
    """A port that nobody has: not of the range that the system hands out for port 0."""
    while True:
        port = random.randrange(10_240, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def build():
    """The programs that are proven, built if they are not up to date."""
    command = ["cargo", "build", "--quiet", "--locked", "--bin", "infra-health", "--example", "sandbox"]
    expect(subprocess.run(command, cwd=REPO, check=False).returncode == 0, "the service does not build")


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.status} {self.body.decode(errors='replace')}"


def ask(port, target, method="GET", headers=None, source=None, timeout=10, host="127.0.0.1"):
    """One request on a connection of its own."""
    bound = (source, 0) if source else None
    connection = http.client.HTTPConnection(host, port, timeout=timeout, source_address=bound)
    try:
        connection.request(method, target, headers={"Connection": "close", **(headers or {})})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def status_of(port, target, **more):
    """The status, or None where nobody answers."""
    try:
        return ask(port, target, **more).status
    except (OSError, http.client.HTTPException):
        return None


def unread(port):
    """How many connections to a port hold bytes that its process has not read, as the system lists them."""
    wanted, count = f":{port:04X}", 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, queues = line.split()[:5]
        count += local.endswith(wanted) and state == "01" and int(queues.split(":")[1], 16) > 0
    return count


class Call(threading.Thread):
    """A request that is under way; `answer` once it is through, or the error as text."""

    def __init__(self, port, target, method="GET", headers=None):
        super().__init__(daemon=True)
        self.request, self.answer = (port, target, method, headers), None
        self.start()

    def run(self):
        try:
            self.answer = ask(*self.request, timeout=60)
        except (OSError, http.client.HTTPException) as error:
            self.answer = repr(error)

    def through(self, status):
        """Waits for the answer, which must have this status."""
        self.join(DEADLINE)
        got = self.answer.status if isinstance(self.answer, Answer) else None
        expect(got == status, f"{self.request[2]} {self.request[1]}: {self.answer} instead of {status}")
        return self.answer


class Sandbox:
    """The stand-ins of the example `sandbox`: a RunPod-shaped API and an S3 server, with faults to switch."""

    def __init__(self, proof):
        child = proof.start([SANDBOX], env={**os.environ, "PORT": "0"}, log="sandbox.log")
        log = proof.scratch / "sandbox.log"

        def introduced():
            expect(child.poll() is None, "the sandbox does not start")
            text = log.read_text()
            return text if "? shows this again" in text else None

        text = poll("the sandbox", introduced)
        self.control = int(re.search(r"switches +http://127\.0\.0\.1:(\d+)", text)[1])
        env_file = Path(re.search(r"ENV_FILE=(\S+)", text)[1])
        self.env = dict(line.split("=", 1) for line in env_file.read_text().splitlines())

    def fault(self, name, on=True):
        answer = ask(self.control, f"/faults/{name}", "POST" if on else "DELETE")
        expect(answer.status == 200, f"fault {name}: {answer}")


class Silent:
    """An upstream that takes connections and answers nothing until it is released."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.held = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            self.held.append(connection)

    def release(self):
        """Whoever waits, and whoever comes, is cut off."""
        # Wakes the thread that accepts, which closing alone would not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.held:
            connection.close()


class Replica:
    """The real service on a port of its own, which it keeps over restarts."""

    def __init__(self, proof, name, env):
        self.proof, self.name, self.port = proof, name, free_port()
        self.env = {
            **env,
            "PORT": str(self.port),
            "LOG_FORMAT": "json",
            "RATE_LIMIT_PER_SECOND": "0",  # the load comes from one address
        }
        self.log = proof.scratch / f"{name}.log"
        self.child = None

    def start(self, ready=True, **env):
        self.child = self.proof.start([BINARY, "serve"], env={**self.env, **env}, log=self.log.name)
        if ready:
            poll(f"{self.name} is ready", lambda: status_of(self.port, "/readyz") == 200)
        return self

    def end(self, how=signal.SIGTERM):
        return self.proof.end(self.child, how)

    def lines(self):
        """What it has logged so far."""
        for line in self.log.read_text().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue


class Load:
    """Clients that go on asking: `kept` keep their connection, `short` open one for each request, `posts`
    keep theirs and send what no balancer may send twice.

    Every connection sends several times a second, which is more than the once a second that a draining
    service needs to tell it to close. At most clients / PAUSE requests a second.
    """

    PAUSE = 0.05
    GET = ("GET", "/health", {})
    POST = ("POST", "/health/refresh", {"X-Api-Key": "sandbox-operator-key"})

    def __init__(self, port, kept=12, short=4, posts=0, accept=lambda answer: answer.status == 200):
        self.port, self.accept = port, accept
        clients = [(self.GET, True)] * kept + [(self.GET, False)] * short + [(self.POST, True)] * posts
        self.done, self.failures, self.counts = threading.Event(), [], [0] * len(clients)
        self.threads = [threading.Thread(target=self._client, args=(index, *client), daemon=True)
                        for index, client in enumerate(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.rounds("the load begins")
        return self

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join(DEADLINE)

    def _client(self, index, request, keeps):
        method, target, headers = request
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        while not self.done.is_set():
            try:
                connection.request(method, target, headers=headers if keeps else {**headers, "Connection": "close"})
                answer = Answer(connection.getresponse())
                if not self.accept(answer):
                    self.failures.append(f"{method}: {answer}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{method}: {error!r}")
                connection.close()
            self.counts[index] += 1
            self.done.wait(self.PAUSE)
        connection.close()

    def total(self):
        return sum(self.counts)

    def rounds(self, what, rounds=5):
        """Waits until every client has been answered so often again."""
        wanted = [count + rounds for count in self.counts]
        poll(what, lambda: all(count >= want for count, want in zip(self.counts, wanted)))

    def check(self, what):
        expect(not self.failures, f"{what}: {len(self.failures)} of {self.total()} requests failed: {self.failures[:3]}")
