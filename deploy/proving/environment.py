"""The pinned packages of a proof, installed once under target/, and where everything else comes from.

So that a proof runs by itself from a clean checkout with Debian's packages there, whichever `python3` is first.
"""

import contextlib
import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from .paths import REPO, TARGET
from .processes import exit_on_signals

NODE = 20  # at least; what the page's browser driver asks for
PACKAGES = {
    "promtool": "prometheus",
    "amtool": "prometheus-alertmanager",
    "envsubst": "gettext-base",
    "nginx": "nginx-light",
    "node": "nodejs",
    "systemd-analyze": "systemd",
    "unshare": "util-linux",
    "setpriv": "util-linux",
}


def where_from(tool):
    if tool == "cargo":
        return "CONTRIBUTING.md says which Rust"
    return f"Debian's package {PACKAGES.get(tool, tool)}"


def in_venv(requirements):
    """Goes on in target/venv/<folder of the requirements>, with these packages and no others in it.

    To be called first: this process becomes that environment's Python, from its first line on.
    """
    requirements = Path(requirements).resolve()
    name = requirements.parent.name
    folder = TARGET / "venv" / name
    python = folder / "bin/python"
    if Path(sys.prefix).resolve() == folder.resolve():
        return
    exit_on_signals()
    if importlib.util.find_spec("ensurepip") is None:
        print(f"SKIPPED: {name}: this Python makes no virtual environments ({where_from('python3-venv')})", flush=True)
        raise SystemExit(0)

    def make():
        venv.create(folder, clear=True, with_pip=True)
        pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        # Nothing that is not pinned, nothing that has to be compiled.
        _install([*pip, "install", "--no-deps", "--only-binary=:all:", "--requirement", requirements], name)
        _install([*pip, "check"], name)

    # A moved checkout makes its environment anew: the programs in it hold its path. So does one whose Python is gone.
    _once(folder, f"{folder}\n{requirements.read_text()}", make, python.exists)
    os.execv(python, [str(python), str(Path(sys.modules["__main__"].__file__).resolve()), *sys.argv[1:]])


def npm_modules(proof, sources):
    """A folder under target/npm with the modules that the lock file of `sources` pins, and its scripts beside them."""
    proof.need("npm", "node")
    version = proof.check_run("node", "--version").strip()
    if int(version.removeprefix("v").split(".")[0]) < NODE:
        proof.skip(proof.name, f"node {version} is too old, it must be {NODE} or newer (Debian 12's package is not)")
        raise SystemExit(0)
    folder = TARGET / "npm" / proof.name

    def make():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(sources / name, folder)
        _install(["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"], proof.name, cwd=folder)

    _once(folder, (sources / "package-lock.json").read_text(), make)
    for script in sources.glob("*.mjs"):
        shutil.copy(script, folder)
    return folder


def _once(folder, wanted, make, usable=lambda: True):
    """Makes the folder if it was not made of just this; of several proofs at once, one does."""
    stamp = folder / "installed"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f"{folder.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):
            if stamp.read_text() == wanted and usable():
                return
        make()
        stamp.write_text(wanted)


def _install(command, name, cwd=REPO):
    done = subprocess.run(list(map(str, command)), cwd=cwd, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        print(f"not ok {name}: {' '.join(map(str, command))}:\n{done.stdout}", file=sys.stderr, flush=True)
        raise SystemExit(1)
