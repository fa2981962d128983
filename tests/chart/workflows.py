"""The workflows of .github, which nothing here can run: their form, their rights, their shell, and what a release is compared with.

Ours is what must hold whichever tool is there: commits instead of tags, no rights but those a job names, nothing of an event's in a script.
actionlint knows GitHub's schema and expressions, zizmor the ways workflows are broken into, shellcheck the scripts between the lines.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import yaml

import around
from place import ROOT, tool

FOLDER = ROOT / ".github" / "workflows"
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
LOCAL = re.compile(r"uses: \./\.github/workflows/[\w.-]+\.yml( |$)")
# Whoever changes these looks at them twice: what a job may change, beside reading the repository.
WRITES = {
    ("release", "image"): {"packages"},
    ("release", "publish"): {"packages", "id-token"},
    ("release", "page"): {"contents"},
}
# A fork's code with the repository's rights.
FOREIGN = {"pull_request_target", "workflow_run", "issue_comment"}
CHECK = ROOT / "scripts" / "release-check.sh"
HOME = "watchparty/watchparty"


def texts() -> dict[str, str]:
    return {file.stem: file.read_text() for file in sorted(FOLDER.glob("*.yml"))}


def steps(workflow: dict) -> list[tuple[str, dict]]:
    return [(name, step) for name, job in workflow["jobs"].items() for step in job.get("steps", [])]


def of_a_job(name: str, job_name: str, job: dict) -> list[str]:
    where = f"{name}.yml: {job_name}"
    rights = job.get("permissions")
    if not isinstance(rights, dict):
        return [f"{where} does not name its rights"]
    writes = {key for key, level in rights.items() if level == "write"}
    found = [] if writes == WRITES.get((name, job_name), set()) else [f"{where} may write {sorted(writes)}"]
    if "uses" not in job and "timeout-minutes" not in job:
        found.append(f"{where} has no timeout")
    return found


def findings(name: str, text: str) -> list[str]:
    workflow = yaml.safe_load(text)
    # YAML 1.1 takes `on` for a truth value.
    events = workflow[True]
    found = [f"{name}.yml: {event} runs a stranger's code" for event in FOREIGN & set(events)]
    found += [] if workflow.get("permissions") == {} else [f"{name}.yml gives rights to every job"]
    for job_name, job in workflow["jobs"].items():
        found += of_a_job(name, job_name, job)
    for line in re.findall(r"^\s*(?:- )?(uses: .*)$", text, re.M):
        found += [] if PINNED.match(line) or LOCAL.match(line) else [f"{name}.yml: {line} is not pinned to a commit"]
    for job_name, step in steps(workflow):
        if "${{" in step.get("run", ""):
            found.append(f"{name}.yml: {job_name} puts an expression into a script")
        if "checkout@" in step.get("uses", "") and step.get("with", {}).get("persist-credentials") is not False:
            found.append(f"{name}.yml: {job_name} leaves its token in the checkout")
    return found


def are_modest() -> list[str]:
    all_texts = texts()
    runs = [step.get("run") for _, step in steps(yaml.safe_load(all_texts["ci"]))]
    found = [] if ".ci/run" in runs else ["ci.yml does not run .ci/run"]
    return found + [line for name, text in all_texts.items() for line in findings(name, text)]


def modesty_bites() -> list[str]:
    text = (FOLDER / "release.yml").read_text()
    broken = {
        "a tag": re.sub(r"cosign-installer@\w+", "cosign-installer@v4", text),
        "rights of all": text.replace("permissions: {}", "permissions: write-all", 1),
        "more rights": text.replace("contents: read # to check out", "contents: write", 1),
        "an event's text": text.replace("helm package helm", 'helm package "${{ github.ref_name }}"'),
        "a token left behind": text.replace("persist-credentials: false", "fetch-depth: 1", 1),
        "no timeout": text.replace("    timeout-minutes: 20\n", ""),
        "a stranger's event": text.replace("  push:\n", "  pull_request_target:\n  push:\n", 1),
    }
    return [f"{what} is not minded" for what, each in broken.items() if each == text or not findings("release", each)]


def scripts_are_clean() -> list[str]:
    found = []
    with tempfile.TemporaryDirectory() as place:
        files = []
        for name, text in texts().items():
            for number, (job_name, step) in enumerate(steps(yaml.safe_load(text))):
                script = step.get("run")
                if script is None:
                    continue
                # GitHub's bash has -e and pipefail, but only where `shell: bash` is said.
                file = Path(place) / f"{name}-{job_name}-{number}.sh"
                file.write_text(f"#!/usr/bin/env bash\n{script}")
                files.append(file)
                if "|" in script and "pipefail" not in script:
                    found.append(f"{name}.yml: a pipe of {job_name} may fail unseen")
        return found + around.shellcheck(files)


def asked(name: str, package: str, command: list, text: str) -> list[str]:
    """What a program says of one workflow, alone in a repository of its own."""
    program = around.program(name, package, "workflows are judged without it")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / ".github" / "workflows"
        shutil.copytree(FOLDER, folder)
        (folder / "release.yml").write_text(text)
        subprocess.run(["git", "init", "--quiet", place], check=True)
        found = dict(os.environ)
        if shellcheck := tool("shellcheck"):
            found["PATH"] = f"{shellcheck.parent}:{found['PATH']}"
        done = subprocess.run([program, *command], cwd=place, env=found, capture_output=True, text=True, timeout=120)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines() or [f"exit {done.returncode}"]


def actionlint(text: str) -> list[str]:
    return asked("actionlint", "Go: github.com/rhysd/actionlint", ["-no-color"], text)


def zizmor(text: str) -> list[str]:
    # Offline: without it every action would be asked of GitHub.
    return asked("zizmor", "PyPI: zizmor", ["--offline", "--no-progress", "--color=never", ".github"], text)


def actionlint_is_quiet() -> list[str]:
    return actionlint((FOLDER / "release.yml").read_text())


def zizmor_is_quiet() -> list[str]:
    return zizmor((FOLDER / "release.yml").read_text())


def both_bite() -> list[str]:
    text = (FOLDER / "release.yml").read_text()
    misspelt = text.replace("needs.publish.outputs.image_digest", "needs.publish.outputs.digest")
    open_door = text.replace("helm package helm", "helm package ${{ github.event.head_commit.message }}")
    found = [] if any("is not defined" in line for line in actionlint(misspelt)) else ["actionlint misses an output"]
    return found + ([] if any("template-injection" in line for line in zizmor(open_door)) else ["zizmor misses an injection"])


def asked_of_a_tree(changelog: str, tag: str, repository: str) -> subprocess.CompletedProcess:
    with tempfile.TemporaryDirectory() as place:
        for name in ("Cargo.toml", "helm/Chart.yaml", "helm/values.yaml", "sdk/package.json"):
            (Path(place) / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, Path(place) / name)
        (Path(place) / "CHANGELOG.md").write_text(changelog)
        command = [CHECK, tag, repository]
        return subprocess.run(command, env=os.environ | {"ROOT": place}, capture_output=True, text=True, timeout=60)


def release_is_compared() -> list[str]:
    """This tree under its own version passes once the changelog has a date; a wrong tag, place or changelog does not."""
    version = yaml.safe_load((ROOT / "helm" / "Chart.yaml").read_text())["appVersion"]
    changelog = re.sub(rf"^## \[{re.escape(version)}\].*$", f"## [{version}] - 2026-01-01", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    good = asked_of_a_tree(changelog, f"v{version}", HOME)
    wanted = f"version={version}\nimage=ghcr.io/{HOME}\n"
    found = [] if (good.returncode, good.stdout) == (0, wanted) else [f"refused: {good.stderr}{good.stdout}"]
    wrong = {
        "another tag": ((changelog, "v99.0.0", HOME), ["Cargo.toml", "Chart.yaml", "sdk/package.json", "CHANGELOG.md"]),
        "a tag without v": ((changelog, version, HOME), ["the tag"]),
        "another repository": ((changelog, f"v{version}", "Some/Body"), ["values.yaml", "ghcr.io/some/body"]),
        "no date": ((changelog.replace("2026-01-01", "unreleased"), f"v{version}", HOME), ["CHANGELOG.md"]),
    }
    for what, (arguments, words) in wrong.items():
        done = asked_of_a_tree(*arguments)
        if done.returncode != 1 or any(word not in done.stderr for word in words) or done.stdout:
            found.append(f"{what}: exit {done.returncode}, {done.stderr}{done.stdout}")
    told = subprocess.run([CHECK, "--changes", version], capture_output=True, text=True, check=True).stdout
    return found + ([] if "Sessions over HTTP" in told and "## [" not in told else ["--changes does not print one version's part"])
