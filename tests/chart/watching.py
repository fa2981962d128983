"""Rules, dashboard and adapter look only at series that exist, by the table of docs/OPERATIONS.md.

Every selector of every expression is read from a parsed tree: the metric, its labels, and the values compared with. The
other way round, every metric is looked at somewhere, or stands below with the reason why not.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path

import promql_parser
import yaml

import documented
import rendering
from ledger import Skip
from place import CHART, ROOT, tool

RULES = CHART / "files" / "alerts.yml"
TESTS = CHART / "files" / "alerts_test.yml"
# What Prometheus itself adds to each series.
TARGET_LABELS = {"job", "instance", "namespace", "pod"}
NOT_LOOKED_AT = {
    "process_virtual_memory_bytes": "the allocator reserves freely; resident memory is what counts",
    "process_virtual_memory_max_bytes": "no limit in a container",
}


def promtool() -> Path:
    found = tool("promtool")
    if found is None:
        raise Skip("no promtool (Debian's package prometheus): rules and metrics are not judged by Prometheus itself")
    return found


def run_promtool(*arguments: object, text: str | None = None) -> list[str]:
    done = subprocess.run([promtool(), *map(str, arguments)], input=text, capture_output=True, text=True, timeout=300)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines()


def rules() -> list[dict]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def alerts() -> dict[str, dict]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def dashboard() -> dict:
    return json.loads((CHART / "files" / "dashboard.json").read_text())


def without_macros(expression: str) -> str:
    """Grafana's own words in place of what Grafana would put there."""
    for macro, value in (("$__rate_interval", "5m"), ("$__range", "1h"), ("$__interval", "1m")):
        expression = expression.replace(macro, value)
    return expression


def dashboard_expressions() -> dict[str, str]:
    found = {}
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            found[f"panel {panel['title']} {target['refId']}"] = without_macros(target["expr"])
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            inner = re.fullmatch(r"label_values\((.+), \w+\)", variable["query"]["query"])
            found[f"variable {variable['name']}"] = inner[1] if inner else variable["query"]["query"]
    return found


def expressions() -> dict[str, str]:
    found = {rule.get("alert") or rule["record"]: rule["expr"] for rule in rules()}
    return found | dashboard_expressions()


def selectors(expression: str) -> list:
    """Every vector selector of an expression."""
    found = []

    def walk(node: object) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        for child in ("expr", "lhs", "rhs", "param", "vector_selector"):
            inner = getattr(node, child, None)
            if inner is not None:
                walk(inner)
        for argument in getattr(node, "args", None) or []:
            walk(argument)

    walk(promql_parser.parse(expression))
    return found


def grouped_by(expression: str) -> set[str]:
    lists = re.findall(r"\b(?:by|on) ?\(([^)]*)\)", expression)
    return {label.strip() for each in lists for label in each.split(",") if label.strip()}


def metric_of(name: str) -> tuple[str, set[str]] | None:
    """The metric a series belongs to, and labels its kind adds."""
    known = documented.metrics()
    if name in known and known[name].kind != "histogram":
        return name, set()
    base, _, suffix = name.rpartition("_")
    if base in known and known[base].kind == "histogram" and suffix in ("bucket", "sum", "count"):
        return base, {"le"} if suffix == "bucket" else set()
    return None


def selector_findings(selector: object, recorded: set[str]) -> list[str]:
    name = selector.name
    if name in recorded or name == "up":
        labels, values = set(), {}
    else:
        metric = metric_of(name)
        if metric is None:
            return [f"no series {name}"]
        values = documented.metrics()[metric[0]].labels
        labels = values.keys() | metric[1]
    found = []
    for matcher in selector.matchers.matchers:
        if matcher.name not in labels | TARGET_LABELS:
            found.append(f"{name} has no label {matcher.name}")
        elif values.get(matcher.name):
            words = matcher.value.split("|")
            found += [f"{name}: {matcher.name} is never {word}" for word in words if word not in values[matcher.name]]
    return found


def expression_findings(expression: str, recorded: set[str]) -> list[str]:
    found, labels = [], set(TARGET_LABELS)
    for selector in selectors(expression):
        found += selector_findings(selector, recorded)
        metric = metric_of(selector.name)
        labels |= documented.metrics()[metric[0]].labels.keys() | metric[1] if metric else set()
    return found + [f"grouped by {label}, which nothing has" for label in sorted(grouped_by(expression) - labels)]


def expressions_use_what_exists() -> list[str]:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    found = []
    for place, expression in expressions().items():
        found += [f"{place}: {line}" for line in expression_findings(expression, recorded)]
        found += [] if selectors(expression) else [f"{place}: looks at nothing"]
    return found


def expression_check_bites() -> list[str]:
    broken = {
        "no series watchparty_conections": "sum(watchparty_conections)",
        "no series watchparty_ping_rtt_seconds": "rate(watchparty_ping_rtt_seconds[5m])",
        "has no label route": 'watchparty_connections{route="ws"}',
        "reason is never slow": 'watchparty_connections_closed_total{reason=~"too_slow|slow"}',
        "grouped by kind, which": "sum by (kind) (watchparty_rooms)",
    }
    return [
        f"nobody sees: {expression}"
        for words, expression in broken.items()
        if not any(words in line for line in expression_findings(expression, set()))
    ]


def every_metric_is_looked_at() -> list[str]:
    used = {metric[0] for each in expressions().values() for one in selectors(each) if (metric := metric_of(one.name))}
    wanted = documented.metrics().keys() - NOT_LOOKED_AT.keys()
    return [f"neither rule nor panel looks at {name}" for name in sorted(wanted - used)]


def rules_are_good() -> list[str]:
    return run_promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)


def rules_behave() -> list[str]:
    return run_promtool("test", "rules", TESTS)


def rendered_rules_are_good() -> list[str]:
    found = []
    for name in ("monitoring", "pod-monitor"):
        spec = rendering.case(name).one("PrometheusRule")["spec"]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            yaml.safe_dump(spec, file)
            file.flush()
            found += [f"{name}: {line}" for line in run_promtool("check", "rules", file.name)]
    return found


def every_alert_is_shown() -> list[str]:
    """Firing in one case, quiet in another; described, and with a heading that says what to do."""
    fires, quiet, headings = set(), set(), documented.alert_headings()
    for group in yaml.safe_load(TESTS.read_text())["tests"]:
        expected = [(each["alertname"], each["exp_alerts"]) for each in group["alert_rule_test"]]
        fires |= {name for name, wanted in expected if wanted}
        quiet |= {name for name, _ in expected} if not any(wanted for _, wanted in expected) else set()
    found = []
    for name, rule in alerts().items():
        found += [] if name in fires else [f"{name} is never seen firing"]
        found += [] if name in quiet else [f"{name} is never seen quiet"]
        found += [] if headings.count(name) == 1 else [f"docs/OPERATIONS.md has {headings.count(name)} headings {name}"]
        notes = rule["annotations"]
        found += [] if notes["runbook_url"].endswith(f"docs/OPERATIONS.md#{name.lower()}") else [f"{name}: runbook_url"]
        found += [] if notes["summary"] and notes["description"] else [f"{name} does not say what is wrong"]
        found += [] if rule["labels"]["severity"] in ("critical", "warning") else [f"{name}: severity"]
    return found + [
        f"docs/OPERATIONS.md describes {name}, which is no alert" for name in headings if name not in alerts()
    ]


def dashboard_is_whole() -> list[str]:
    """Panels that explain themselves, do not overlap, and ask the chosen data source."""
    found, ids, cells = [], set(), {}
    names = {variable["name"] for variable in dashboard()["templating"]["list"]}
    found += [] if names == {"datasource", "namespace", "job", "pod"} else [f"variables: {sorted(names)}"]
    for panel in dashboard()["panels"]:
        title, grid = panel["title"], panel["gridPos"]
        found += [f"{title}: id {panel['id']} twice"] if panel["id"] in ids else []
        ids.add(panel["id"])
        for cell in [
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        ]:
            found += [f"{title} covers {cells[cell]}"] if cell in cells else []
            cells[cell] = title
        found += [f"{title} is wider than the page"] if grid["x"] + grid["w"] > 24 else []
        if panel["type"] == "row":
            continue
        found += (
            []
            if panel.get("description") and panel["fieldConfig"]["defaults"].get("unit")
            else [f"{title}: says too little"]
        )
        asked = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        found += [f"{title}: a fixed data source" for each in asked if each["uid"] != "${datasource}"]
        scoped = all("$namespace" in each["expr"] and "$pod" in each["expr"] for each in panel["targets"])
        found += [] if scoped else [f"{title} does not follow the variables"]
    return found


def dashboard_reaches_the_config_map() -> list[str]:
    data = next(
        each["data"]["watchparty.json"]
        for each in rendering.case("monitoring").of_kind("ConfigMap")
        if each["metadata"]["name"].endswith("-dashboard")
    )
    return [] if json.loads(data) == dashboard() else ["the ConfigMap holds another dashboard than the file"]


def adapter_rule_exists() -> list[str]:
    values = yaml.safe_load((ROOT / "ops" / "prometheus-adapter" / "values.yaml").read_text())
    series = [re.match(r"\w+", rule["seriesQuery"])[0] for rule in values["rules"]["custom"]]
    asked = rendering.case("redis-ha").one("HorizontalPodAutoscaler")["spec"]["metrics"][1]["pods"]["metric"]["name"]
    found = [f"no series {name}" for name in series if metric_of(name) is None]
    return found + ([] if asked in series else [f"the HPA asks for {asked}, which the adapter does not serve"])
