"""A machine for the unit: namespaces of its own (processes, mounts, network, cgroups) with a real systemd as process 1.

    machine.py SCRATCH     in new namespaces: becomes their systemd, with `inside` beside it

It sees no unit of this machine, and ends with whoever made the namespaces. SCRATCH is seen inside as /run/prove.
"""

import ctypes
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))
from proving import REPO, TARGET  # noqa: E402

UNIT = HERE / "infra-health.service"
SYSTEMD = Path("/lib/systemd/systemd")
SHARED = Path("/run/prove")
MS_BIND, MS_REC, MS_PRIVATE, MS_SHARED = 4096, 16384, 1 << 18, 1 << 20


def values(name):
    """What the unit file sets a name to, in order."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.M)


def offered(name):
    """The lines of the unit that are there to be used, about `name`: they begin with a # and no blank."""
    return re.findall(rf"^#((?:LoadCredential|Environment)=.*{name}.*)$", UNIT.read_text(), re.M)


def drop_in(name, line):
    """A setting on top of the unit's own."""
    folder = SHARED / f"units/{UNIT.name}.d"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.conf").write_text(f"[Service]\n{line}\n")


def mount(source, target, kind, flags=0, options=""):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(*(str(word).encode() for word in (source, target, kind)), flags, options.encode() or None):
        raise OSError(ctypes.get_errno(), f"mount {target}: {os.strerror(ctypes.get_errno())}")


def cgroup_root():
    """Where the unified hierarchy is mounted."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return next((Path(line.split()[1]) for line in lines if line.split()[2] == "cgroup2"), None)


def own_tmp():
    """An empty /tmp, but for the sources and what is built of them if that is where they are."""
    kept = {place: os.open(place, os.O_PATH) for place in (REPO, TARGET)}
    mount("tmpfs", "/tmp", "tmpfs")
    for place, opened in kept.items():
        if not place.exists():
            place.mkdir(parents=True)
            mount(f"/proc/self/fd/{opened}", place, "none", MS_BIND | MS_REC)
        os.close(opened)


def boot(scratch):
    """Process 1 of the namespaces: lays out the machine, starts `inside` and becomes systemd."""
    mount("none", "/", "none", MS_REC | MS_PRIVATE)
    mount("tmpfs", "/run", "tmpfs", options="mode=755")
    SHARED.mkdir()
    mount(scratch, SHARED, "none", MS_BIND)
    own_tmp()
    mount("cgroup2", "/sys/fs/cgroup", "cgroup2")
    for place in ("/etc", "/usr/local/bin", "/var/lib"):
        upper, work = (Path(f"/run/overlay{place.replace('/', '-')}-{kind}") for kind in ("upper", "work"))
        upper.mkdir()
        work.mkdir()
        mount("overlay", place, "overlay", options=f"lowerdir={place},upperdir={upper},workdir={work}")
    # Where systemd logs to: a terminal that `inside` writes down.
    console, terminal = os.openpty()
    mount(os.ttyname(terminal), "/dev/console", "none", MS_BIND)
    # Among themselves, as systemd has it at a boot: credentials are mounted by a helper of its.
    mount("none", "/", "none", MS_REC | MS_SHARED)
    units = SHARED / "units"
    units.mkdir()
    for target in ("sysinit", "basic", "shutdown", "network-online", "nss-lookup", "prove"):
        (units / f"{target}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    shutil.copy(UNIT, units)
    # All that is added to the unit: where its output goes, since there is no journal.
    drop_in("output", "StandardOutput=append:/run/prove/service.log")
    (SHARED / "generators").mkdir()
    if os.fork() == 0:
        threading.Thread(target=write_down, args=(console,), daemon=True).start()
        with open(SHARED / "inside.txt", "w", buffering=1) as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
            # Always told, or the other side would wait for it.
            code = subprocess.run([sys.executable, str(HERE / "inside")], check=False).returncode
            (SHARED / "result.new").write_text(str(code))
            (SHARED / "result.new").rename(SHARED / "result")
            os._exit(0)
    os.execve(SYSTEMD, [str(SYSTEMD), "--system", "--unit=prove.target", "--log-target=console", "--show-status=0"], {
        "PATH": os.environ["PATH"], "container": "infra-health", "SYSTEMD_UNIT_PATH": str(units),
        "SYSTEMD_GENERATOR_PATH": str(SHARED / "generators"), "SYSTEMD_ENVIRONMENT_GENERATOR_PATH": str(SHARED / "generators")})


def write_down(console):
    """What systemd prints on its console."""
    with open(SHARED / "systemd.log", "wb", buffering=0) as log:
        while chunk := os.read(console, 4096):
            log.write(chunk)


if __name__ == "__main__":
    boot(sys.argv[1])
