"""Every alert has a unit test in which it fires, and is silent one step before; a step is the interval of
the alert's own group. And every alert that a test names exists.
"""

import pathlib
import re

import yaml

HERE = pathlib.Path(__file__).resolve().parent
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(duration):
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([smhd])", str(duration)))


def rules():
    """Name of each alert → its group's interval in seconds."""
    found = {}
    for path in sorted((HERE / "rules").glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    found[rule["alert"]] = seconds(group["interval"])
    return found


def cases():
    """Each test with its file's name and step in seconds."""
    for path in sorted((HERE / "tests").glob("*.yml")):
        text = yaml.safe_load(path.read_text())
        for test in text["tests"]:
            yield path.name, seconds(text["evaluation_interval"]), test


def labels():
    """Name of each alert → the labels with which a unit test has seen it fire."""
    found = {}
    for _, _, test in cases():
        for case in test.get("alert_rule_test", []):
            for alert in case.get("exp_alerts") or []:
                found.setdefault(case["alertname"], {"alertname": case["alertname"], **alert["exp_labels"]})
    return found


def faults():
    """What is not covered, one line each; empty when all is."""
    intervals = rules()
    missing = dict.fromkeys(intervals, "is expected to fire in no test")
    for name, step, test in cases():
        fires = {}
        for case in test.get("alert_rule_test", []):
            alert = case["alertname"]
            if alert not in intervals:
                yield f"tests/{name} names {alert}, which is no alert"
                continue
            fires[alert, seconds(case["eval_time"])] = bool(case.get("exp_alerts"))
        for (alert, at), fired in fires.items():
            if not fired or missing[alert] is None:
                continue
            silent_before = fires.get((alert, at - intervals[alert])) is False
            if step == intervals[alert] and silent_before:
                missing[alert] = None
            else:
                missing[alert] = f"is in no test silent exactly one step ({intervals[alert]} s) before it fires"
    for alert, what in missing.items():
        if what:
            yield f"{alert} {what}"
