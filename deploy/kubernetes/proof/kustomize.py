"""Builds an overlay: with the real kustomize, or, where there is none, with the few rules of it used here."""

import hashlib
import json
import re
import shutil
import subprocess
from copy import deepcopy

import yaml


def real(folder):
    """The documents that kustomize (or the one inside kubectl) makes, and its name; None if there is none."""
    for command, version, pattern in (
            (["kustomize", "build"], ["kustomize", "version"], r"\bv(\d+)\.\d+\.\d+"),
            (["kubectl", "kustomize"], ["kubectl", "version", "--client"], r"Kustomize Version: v(\d+)")):
        if shutil.which(command[0]) is None:
            continue
        told = subprocess.run(version, capture_output=True, text=True, check=False).stdout
        found = re.search(pattern, told)
        # Components came with 3.7. Debian 12's kubectl has 2.0 inside, and does not tell.
        if found and int(found[1]) >= 4:
            built = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
            if built.returncode != 0:
                raise ValueError(built.stderr.strip())
            return list(yaml.safe_load_all(built.stdout)), " ".join(command)
    return None


def built_by_hand(folder):
    """The same documents by the rules of kustomize that this folder uses, and no others."""
    documents = _layer(folder, [])
    for document in documents:
        document.pop("_behaves", None)
    return _with_hashes(documents)


KNOWN = {"apiVersion", "kind", "namespace", "resources", "components", "images", "configMapGenerator", "patches"}


def _layer(folder, below):
    said = yaml.safe_load((folder / "kustomization.yaml").read_text())
    unknown = set(said) - KNOWN
    if unknown:
        raise ValueError(f"{folder}: no rule for {unknown}")
    documents = list(below)
    for name in said.get("resources", []):
        path = folder / name
        documents += _layer(path, []) if path.is_dir() else list(yaml.safe_load_all(path.read_text()))
    for generator in said.get("configMapGenerator", []):
        _generate(documents, generator)
    for name in said.get("components", []):
        documents = _layer(folder / name, documents)
    for patch in said.get("patches", []):
        change = yaml.safe_load((folder / patch["path"]).read_text())
        target = _find(documents, change["kind"], change["metadata"]["name"])
        documents[documents.index(target)] = _merge(target, change)
    for document in documents:
        if "namespace" in said and document["kind"] != "Namespace":
            document["metadata"]["namespace"] = said["namespace"]
        for container in _pod(document).get("containers", []):
            for image in said.get("images", []):
                if container["image"] == image["name"]:
                    container["image"] = f"{image['newName']}:{image['newTag']}"
    return documents


def _find(documents, kind, name):
    return next(d for d in documents if (d["kind"], d["metadata"]["name"]) == (kind, name))


def _pod(document):
    return document["spec"]["template"]["spec"] if document["kind"] == "Deployment" else {}


def _generate(documents, generator):
    data = dict(literal.split("=", 1) for literal in generator["literals"])
    if generator.get("behavior") == "merge":
        _find(documents, "ConfigMap", generator["name"])["data"].update(data)
    else:
        documents.append({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
                          "metadata": {"name": generator["name"]}, "_behaves": "hashed"})


# Lists whose items are merged by a key; every other list is replaced.
KEYS = {"containers": "name", "env": "name", "volumes": "name", "ports": "containerPort"}


def _merge(into, change):
    merged = deepcopy(into)
    for name, value in change.items():
        old = merged.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            merged[name] = _merge(old, value)
        elif isinstance(value, list) and isinstance(old, list) and all(
                isinstance(item, dict) and KEYS.get(name) in item for item in value):
            key = KEYS[name]
            old = {item[key]: item for item in old}
            for item in value:
                old[item[key]] = _merge(old.get(item[key], {}), item)
            merged[name] = list(old.values())
        else:
            merged[name] = deepcopy(value)
    return merged


def _with_hashes(documents):
    names = {}
    for document in documents:
        if document["kind"] == "ConfigMap":
            name = document["metadata"]["name"]
            hashed = {"data": document["data"], "kind": "ConfigMap", "name": ""}
            text = json.dumps(hashed, sort_keys=True, separators=(",", ":"))
            digest = hashlib.sha256(text.encode()).hexdigest()[:10].translate(str.maketrans("013ae", "ghkmt"))
            names[name] = document["metadata"]["name"] = f"{name}-{digest}"
    for document in documents:
        for container in _pod(document).get("containers", []):
            for source in container.get("envFrom", []):
                reference = source["configMapRef"]
                reference["name"] = names.get(reference["name"], reference["name"])
    return documents


def same(one, other):
    """Whether two builds say the same; neither the order of documents nor that of variables means anything."""
    def ordered(value):
        if isinstance(value, dict):
            return {key: ordered(item) for key, item in value.items()}
        if isinstance(value, list):
            return sorted((ordered(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
        return value
    return ordered(one) == ordered(other)
