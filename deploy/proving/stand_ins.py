"""What the service talks to instead of RunPod and R2."""

import os
import re
import socket
import threading
from pathlib import Path

from .calls import ask
from .paths import SANDBOX
from .polling import expect, poll


class Sandbox:
    """The example `sandbox`: a RunPod-shaped API and an S3 server, with faults to switch, and a service of its own at
    `port`. `env` has the variables for another service, `env_file` the file with them."""

    def __init__(self, proof):
        child = proof.start([SANDBOX], env={"PATH": os.environ["PATH"], "PORT": "0"}, log="sandbox.log")
        log = proof.scratch / "sandbox.log"

        def introduced():
            expect(child.poll() is None, "the sandbox does not start")
            text = log.read_text()
            return text if "? shows this again" in text else None

        text = poll("the sandbox's introduction", introduced)
        self.port, self.control = (int(re.search(rf"{name} +http://127\.0\.0\.1:(\d+)", text)[1]) for name in ("service", "switches"))
        self.address = f"127.0.0.1:{self.port}"
        self.env_file = Path(re.search(r"ENV_FILE=(\S+)", text)[1])
        self.env = dict(line.split("=", 1) for line in self.env_file.read_text().splitlines())

    def fault(self, name, on=True):
        answer = ask(self.control, f"/faults/{name}", "POST" if on else "DELETE")
        expect(answer.status == 200, f"fault {name}: {answer}")

    def no_faults(self):
        answer = ask(self.control, "/faults", "DELETE")
        expect(answer.status == 200, f"switching all faults off: {answer}")


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
