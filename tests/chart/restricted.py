"""The `restricted` profile of Kubernetes' pod security standards, and what this chart promises beyond it.

Pure: a pod's spec in, findings out. The list of rules follows the standard's own headings; `main.py` shows that each
rule bites by breaking a good pod in one place at a time.
"""

import copy
from collections.abc import Callable

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_syncookies",
}
SECCOMP = {"RuntimeDefault", "Localhost"}


def containers(spec: dict) -> list[dict]:
    return [each for kind in ("initContainers", "containers", "ephemeralContainers") for each in spec.get(kind, [])]


def pod_findings(spec: dict) -> list[str]:
    """What breaks the profile or the chart's own promises; one line each."""
    pod = spec.get("securityContext", {})
    found = [f"{field} is set" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    for volume in spec.get("volumes", []):
        found += [f"volume {volume['name']}: type {kind}" for kind in volume.keys() - {"name"} - VOLUMES]
    found += [f"sysctl {each['name']}" for each in pod.get("sysctls", []) if each["name"] not in SYSCTLS]
    if pod.get("seLinuxOptions", {}).get("user") or pod.get("seLinuxOptions", {}).get("role"):
        found.append("SELinux user or role is set")
    if pod.get("runAsUser") == 0:
        found.append("the pod runs as root")
    if spec.get("automountServiceAccountToken") is not False:
        found.append("an account token is mounted")
    if spec.get("enableServiceLinks") is not False:
        found.append("service links are on")
    for container in containers(spec):
        found += [f"{container['name']}: {line}" for line in container_findings(container, pod)]
    return found


def container_findings(container: dict, pod: dict) -> list[str]:
    own = container.get("securityContext", {})
    capabilities = own.get("capabilities", {})
    seccomp = own.get("seccompProfile", pod.get("seccompProfile", {})).get("type")
    non_root = own.get("runAsNonRoot", pod.get("runAsNonRoot"))
    rules = {
        "privileged": own.get("privileged", False) is False,
        "privilege escalation is allowed": own.get("allowPrivilegeEscalation") is False,
        "capabilities are not dropped": "ALL" in capabilities.get("drop", []),
        "capabilities are added": set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"},
        "may run as root": non_root is True and own.get("runAsUser") != 0,
        "no seccomp profile": seccomp in SECCOMP,
        "proc is unmasked": own.get("procMount", "Default") == "Default",
        "has host ports": not any(port.get("hostPort") for port in container.get("ports", [])),
        # Beyond the standard.
        "writes to its root": own.get("readOnlyRootFilesystem") is True,
        "image floats": ":" in container["image"].rsplit("/", 1)[-1] and not container["image"].endswith(":latest"),
        "requests no memory": "memory" in container.get("resources", {}).get("requests", {}),
        "memory has no limit": "memory" in container.get("resources", {}).get("limits", {}),
        "CPU is limited": "cpu" not in container.get("resources", {}).get("limits", {}),
    }
    return [rule for rule, holds in rules.items() if not holds]


def breakages() -> dict[str, Callable[[dict], object]]:
    """Ways to break a good pod, each under the finding it must lead to."""
    first = lambda spec: spec["containers"][0]
    own = lambda spec: first(spec)["securityContext"]
    return {
        "hostNetwork is set": lambda spec: spec.update(hostNetwork=True),
        "hostPID is set": lambda spec: spec.update(hostPID=True),
        "hostIPC is set": lambda spec: spec.update(hostIPC=True),
        "type hostPath": lambda spec: spec.update(volumes=[{"name": "x", "hostPath": {"path": "/"}}]),
        "sysctl": lambda spec: spec["securityContext"].update(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
        "SELinux": lambda spec: spec["securityContext"].update(seLinuxOptions={"user": "x"}),
        "runs as root": lambda spec: spec["securityContext"].update(runAsUser=0),
        "account token": lambda spec: spec.pop("automountServiceAccountToken"),
        "service links": lambda spec: spec.pop("enableServiceLinks"),
        "privileged": lambda spec: own(spec).update(privileged=True),
        "privilege escalation": lambda spec: own(spec).pop("allowPrivilegeEscalation"),
        "not dropped": lambda spec: own(spec).update(capabilities={"drop": ["NET_RAW"]}),
        "are added": lambda spec: own(spec)["capabilities"].update(add=["SYS_ADMIN"]),
        "may run as root": lambda spec: own(spec).update(runAsNonRoot=False),
        "no seccomp": lambda spec: spec["securityContext"].pop("seccompProfile"),
        "proc": lambda spec: own(spec).update(procMount="Unmasked"),
        "host ports": lambda spec: first(spec)["ports"][0].update(hostPort=80),
        "writes to its root": lambda spec: own(spec).pop("readOnlyRootFilesystem"),
        "image floats": lambda spec: first(spec).update(image="registry:5000/watchparty"),
        "requests no memory": lambda spec: first(spec)["resources"].pop("requests"),
        "memory has no limit": lambda spec: first(spec)["resources"].pop("limits"),
        "CPU is limited": lambda spec: first(spec)["resources"]["limits"].update(cpu="1"),
    }


def toothless(good: dict) -> list[str]:
    """The breakages that the rules above do not see."""
    if pod_findings(good):
        return ["the good pod is not good"]
    missed = []
    for finding, breaks in breakages().items():
        broken = copy.deepcopy(good)
        breaks(broken)
        if not any(finding in line for line in pod_findings(broken)):
            missed.append(f"nobody sees: {finding}")
    return missed
