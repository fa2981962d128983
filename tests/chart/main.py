"""The chart's checks, one after the other: what is rendered, refused, watched, what k8s/ and README.md say of it, what lies around.

Usage: python main.py [--write]     --write makes k8s/ and the table of helm/README.md from the chart and checks nothing
Last line: "N passed, N failed[, N skipped]"; exit 1 when one failed.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import helm_python
import yaml

import around
import fitting
import handbook
import kustomize
import live
import manifests
import refusals
import rendering
import restricted
import settings
import watching
import workflows
from ledger import Ledger, Skip
from place import CHART, ROOT, tool

YAMLLINT = "{extends: default, rules: {line-length: disable, document-start: disable, braces: {max-spaces-inside: 1}, \
indentation: {indent-sequences: whatever}, truthy: {check-keys: false}, comments: {min-spaces-from-content: 1}}}"


def profile_holds(rendered: rendering.Render) -> list[str]:
    running = rendering.pods(rendered)
    return [f"{name}: {line}" for name, _, spec in running for line in restricted.pod_findings(spec)]


def profile_bites() -> list[str]:
    return restricted.toothless(rendering.pods(rendering.case("default"))[0][2])


def package_is_the_chart() -> list[str]:
    """What `helm package` makes holds no test and renders the same."""
    with tempfile.TemporaryDirectory() as place:
        archive = Path(helm_python.package(str(CHART), destination=place))
        names = subprocess.run(["tar", "tzf", archive], capture_output=True, text=True, check=True).stdout.split()
        packed = rendering.render(rendering.values_file("monitoring"), chart=archive)
    strays = [name for name in names if "/ci/" in name or name.endswith("_test.yml")]
    wanted = {"watchparty/README.md", "watchparty/values.schema.json", "watchparty/files/alerts.yml"}
    found = [f"the package holds {name}" for name in strays] + [f"it lacks {name}" for name in wanted - set(names)]
    same = packed.texts == rendering.case("monitoring").texts
    # The secret the chart makes is random each time; every other text must be the same.
    differing = [] if same else [k for k, v in packed.texts.items() if v != rendering.case("monitoring").texts[k]]
    return found + [f"the package renders another {name}" for name in differing if name != "secret.yaml"]


def yaml_is_tidy() -> list[str]:
    lint = tool("yamllint")
    if lint is None:
        raise Skip("no yamllint (PyPI): the form of YAML files is not looked at")
    plain = [CHART / "Chart.yaml", CHART / "values.yaml", CHART / "ci", CHART / "files", ROOT / "k8s", ROOT / "ops"]
    plain += [ROOT / "compose.yaml", ROOT / ".github"]
    done = subprocess.run([lint, "--strict", "-d", YAMLLINT, *plain], capture_output=True, text=True)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines()


def helm_program_agrees() -> list[str]:
    helm = tool("helm")
    if helm is None:
        raise Skip("no helm program here: rendered by Helm's own code from PyPI alone")
    found = []
    for name in rendering.case_names():
        values = CHART / "ci" / f"{name}-values.yaml"
        command = [helm, "template", rendering.RELEASE, CHART, "--namespace", rendering.NAMESPACE]
        # A helm built without its release's flags believes in a Kubernetes older than the chart allows.
        command += ["--values", values, "--kube-version", f"{manifests.KUBERNETES[0]}.0"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            found += [f"{name}: {line}" for line in done.stderr.splitlines()]
            continue
        objects = [each for each in yaml.safe_load_all(done.stdout) if each]
        # Secrets the chart makes are random each time.
        other, ours = (
            {word: each for word, each in kustomize.keyed(some).items() if not word.startswith("Secret ")}
            for some in (objects, rendering.case(name).objects)
        )
        found += [f"{name}: {line}" for line in kustomize.differences(ours, other)]
    return found


def on_case(check: Callable, name: str, *arguments: object) -> list[str]:
    """Renders inside the check, so that a chart that does not render fails each check instead of ending them all."""
    return check(rendering.case(name), *arguments)


def check_renderings(ledger: Ledger) -> None:
    checks = {
        "restricted profile": profile_holds,
        "selectors find pods": fitting.selectors_find_pods,
        "ways lead to services": fitting.ways_lead_to_services,
        "probes, drain and grace": fitting.life_fits,
        "settings exist": settings.names_exist,
        "the gateway accepts its settings": settings.gateway_accepts,
    }
    for name in rendering.case_names():
        for version in manifests.KUBERNETES:
            ledger.run(f"{name}: strict schemas of {version}", on_case, manifests.fits_kubernetes, name, version)
        for what, check in checks.items():
            ledger.run(f"{name}: {what}", on_case, check, name)


def check_chart(ledger: Ledger) -> None:
    ledger.run("strict schemas refuse a misspelt field", manifests.schemas_bite)
    ledger.run("monitors, rules and routes fit their schemas", manifests.custom_kinds_fit)
    ledger.run("their schemas refuse what is misspelt or mistyped", manifests.custom_schemas_bite)
    ledger.run("the restricted profile sees each breakage", profile_bites)
    ledger.run("values take effect", fitting.values_take_effect)
    ledger.run("the rules' job follows the release", fitting.job_follows_the_release)
    ledger.run("lint is quiet, warnings included", manifests.lint_is_quiet)
    ledger.run("the schema names every setting", settings.schema_names_every_setting)
    ledger.run("the gateway refuses a wrong setting", settings.gateway_refuses_what_is_wrong)
    ledger.run("the package is the chart", package_is_the_chart)
    ledger.run("a helm program renders the same", helm_program_agrees)
    ledger.run("YAML is tidy", yaml_is_tidy)
    for name, (values, words) in (refusals.COMBINATIONS | refusals.SCHEMA).items():
        ledger.run(f"refused: {name}", refusals.refused, values, words)
    ledger.run("every refusal of the templates is provoked", refusals.every_sentence_is_provoked)


def check_watching(ledger: Ledger) -> None:
    ledger.run("promtool accepts the rules", watching.rules_are_good)
    ledger.run("promtool accepts the rendered rules", watching.rendered_rules_are_good)
    ledger.run("every alert fires and stays quiet as its tests say", watching.rules_behave)
    ledger.run("every alert has its tests, its words and its heading", watching.every_alert_is_shown)
    ledger.run("rules and dashboard use series that exist", watching.expressions_use_what_exists)
    ledger.run("an expression that does not is found", watching.expression_check_bites)
    ledger.run("every metric is looked at", watching.every_metric_is_looked_at)
    ledger.run("the dashboard is whole", watching.dashboard_is_whole)
    ledger.run("the dashboard reaches its ConfigMap", watching.dashboard_reaches_the_config_map)
    ledger.run("the adapter serves what the HPA asks for", watching.adapter_rule_exists)
    ledger.run("a live gateway has these probes, this verb and these series", live.gateway_agrees)


def check_pages(ledger: Ledger) -> None:
    ledger.run("k8s/ is the chart's render", kustomize.files_are_as_written)
    ledger.run("k8s/base is complete", kustomize.base_is_complete)
    for path, values in kustomize.OVERLAYS.items():
        ledger.run(f"k8s/{path} builds the chart's objects", kustomize.overlay_equals, path, values)
    ledger.run("every value is described", handbook.every_value_is_described)
    ledger.run("README.md has the values as they are", handbook.page_has_the_table)
    ledger.run("appVersion is the gateway's version", handbook.versions_agree)


def check_around(ledger: Ledger) -> None:
    ledger.run("hadolint is quiet", around.dockerfile_is_clean)
    ledger.run("hadolint minds what is wrong", around.hadolint_bites)
    ledger.run("the image's user, verb, health and labels", around.dockerfile_has_what_an_operator_needs)
    ledger.run("shellcheck is quiet", around.scripts_are_clean)
    ledger.run("shellcheck minds what is wrong", around.shellcheck_bites)
    ledger.run("compose reads compose.yaml", around.compose_reads)
    ledger.run("compose minds what is wrong", around.compose_bites)
    ledger.run("the nodes of compose.yaml have settings that stand", around.compose_settings_stand)


def check_workflows(ledger: Ledger) -> None:
    ledger.run("workflows are pinned and have few rights", workflows.are_modest)
    ledger.run("a workflow that has more is found", workflows.modesty_bites)
    ledger.run("shellcheck is quiet on their scripts", workflows.scripts_are_clean)
    ledger.run("actionlint is quiet", workflows.actionlint_is_quiet)
    ledger.run("zizmor is quiet", workflows.zizmor_is_quiet)
    ledger.run("actionlint and zizmor mind what is wrong", workflows.both_bite)
    ledger.run("a release is compared with its tag", workflows.release_is_compared)


def main() -> int:
    if sys.argv[1:] == ["--write"]:
        kustomize.write()
        handbook.write()
        return 0
    ledger = Ledger()
    for part in (check_renderings, check_chart, check_watching, check_pages, check_around, check_workflows):
        part(ledger)
    return ledger.close()


if __name__ == "__main__":
    sys.exit(main())
