"""The pod of the manifest as a process of this machine: its variables, its Secret, its user, its probes."""

import os
import shutil

from kubelet import Kubelet
from proving import SERVICE, ask, free_port, webhooks


class Secrets:
    """A Secret as the kubelet mounts it: files are links into ..data, which is swapped as a whole."""

    def __init__(self, folder, values):
        self.folder, self.generation = folder, 0
        folder.mkdir()
        self.put(values)
        for name in values:
            (folder / name).symlink_to(f"..data/{name}")

    def put(self, values):
        self.values = values
        old = self.folder / f"..{self.generation}"
        self.generation += 1
        new = self.folder / f"..{self.generation}"
        new.mkdir()
        for name, value in values.items():
            (new / name).write_text(value)
            (new / name).chmod(0o440)
            if os.geteuid() == 0:
                os.chown(new / name, 0, 65532)
        link = self.folder / "..data_tmp"
        link.symlink_to(new.name)
        link.rename(self.folder / "..data")
        shutil.rmtree(old, ignore_errors=True)


class Pod:
    """The container of the manifest as a process: its variables, its Secret, its user, ports of this machine."""

    def __init__(self, proof, built, sandbox):
        self.proof, self.built = proof, built
        proof.scratch.chmod(0o755)
        self.binary = proof.scratch / "infra-health"
        shutil.copy(SERVICE, self.binary)
        self.ports = {name: free_port() for name in built.ports()}
        mount = next(m for m in built.container["volumeMounts"] if m["name"] == "secrets")["mountPath"]
        given = sandbox.env
        # A file of the pod's user in place of Postgres, which has proofs of its own.
        self.store = proof.scratch / "store"
        self.store.mkdir()
        if os.geteuid() == 0:
            os.chown(self.store, 65532, 65532)
        room = webhooks.room(self.store / "jobs.db")
        self.secrets = Secrets(proof.scratch / "secrets", {
            "runpod-api-key": given["RUNPOD_API_KEY"], "r2-access-key-id": given["R2_ACCESS_KEY_ID"],
            "r2-secret-access-key": given["R2_SECRET_ACCESS_KEY"], "api-keys": given["API_KEYS"],
            "job-webhook-secret": room["JOB_WEBHOOK_SECRET"], "runpod-webhook-token": room["RUNPOD_WEBHOOK_TOKEN"],
            "jobs-database-url": room["JOBS_DATABASE_URL"]})
        env = {name: value.replace(mount, str(self.secrets.folder)) for name, value in built.env().items()}
        env.update(PORT=str(self.ports["http"]), HOST="127.0.0.1", PROBE_ADDR=f"127.0.0.1:{self.ports['probes']}",
                   METRICS_ADDR=f"127.0.0.1:{self.ports['metrics']}")
        # As shipped, it must be a configuration that `infra-health config` has nothing to say against.
        self.shipped = dict(env)
        # The stand-ins in place of RunPod and R2, asked every 2 s; the load comes from one address.
        env.pop("R2_ACCOUNT_ID")
        names = [name for name in given if name.startswith(("RUNPOD_ENDPOINT", "R2_ENDPOINT", "R2_BUCKET", "CHECK_"))]
        self.env = {**env, **{name: given[name] for name in names}, "RATE_LIMIT_PER_SECOND": "0"}
        self.log = proof.scratch / "pod.log"

    def start(self, **more):
        return self.proof.start([*self.as_user(), self.binary, "serve"], env={**self.env, **more}, log=self.log.name)

    def as_user(self):
        """The manifest's user without any privilege, where this test may become it."""
        if os.geteuid() != 0 or shutil.which("setpriv") is None:
            return []
        context = self.built.pod["securityContext"]
        return ["/usr/bin/setpriv", f"--reuid={context['runAsUser']}", f"--regid={context['runAsGroup']}", "--clear-groups",
                "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]

    def kubelet(self, **more):
        kubelet = Kubelet(self.built.probes(), self.ports, lambda: self.start(**more),
                          self.built.pod["terminationGracePeriodSeconds"])
        self.proof.cleanup.callback(kubelet.stop)
        return kubelet

    def health(self):
        return ask(self.ports["http"], "/health")
