"""The real service, built and started."""

import json
import signal
import subprocess

from .calls import free_port, status_of
from .paths import REPO, SERVICE, TARGET
from .polling import expect, poll

KEY = "sandbox-operator-key"  # of the sandbox's configuration


def build(proof):
    """The programs that are proven, built where they are looked for if they are not up to date."""
    command = [proof.need("cargo"), "build", "--quiet", "--locked", "--target-dir", TARGET, "--bin", "infra-health", "--example", "sandbox"]
    expect(subprocess.run(command, cwd=REPO, check=False).returncode == 0, "the service does not build")


class Replica:
    """The real service at a port of its own, which it keeps over restarts; `metrics` is its METRICS_ADDR, if wanted."""

    def __init__(self, proof, name, env, metrics=False):
        self.proof, self.name, self.port = proof, name, free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.env = {**env, "PORT": str(self.port), "LOG_FORMAT": "json"}
        if metrics:
            self.metrics = self.env["METRICS_ADDR"] = f"127.0.0.1:{free_port()}"
        self.log = proof.scratch / f"{name}.log"
        self.child = None

    def start(self, ready=True, **env):
        self.child = child = self.proof.start([SERVICE, "serve"], env={**self.env, **env}, log=self.log.name)

        def is_ready():
            expect(child.poll() is None, f"{self.name} does not start")
            return status_of(self.port, "/readyz") == 200

        if ready:
            poll(f"{self.name} is ready", is_ready)
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
