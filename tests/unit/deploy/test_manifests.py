"""The manifests of deploy/k8s: valid, restricted, and in step with the program that they run.

The files are always tested. The output of kustomize is tested if kubectl or kustomize is installed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from services.all_services import SERVICES as ALL_SERVICES
from shared import configuration
from shared.configuration.settings import Settings
from shared.diagnosis.check import faults_before_start
from shared.operations import metrics
from tests.support.manifests import (
    OVERLAYS,
    ROOT,
    WORKLOADS,
    Object,
    environment,
    files,
    labels_of,
    octets,
    of_kind,
    pod_of,
    render,
    render_with,
    selects,
    title,
    written,
)
from tests.support.optional import RENDERER, needs

BY_NAME = {service.name: service for service in ALL_SERVICES}
SERVICES = tuple(BY_NAME)
RELEASES = list(dict.fromkeys(kubernetes_validate.utils.all_versions()))[-3:]
OTHERS_KINDS = {"Certificate", "PodMonitor", "PrometheusRule", "ScaledObject"}
"""Kinds that Kubernetes itself does not know."""
MIB = 2**20

ALWAYS = [
    "network-policies",
    "disruption-budgets",
    "mx-pair",
    "cert-manager",
    "prometheus-operator",
    "grafana-dashboard",
]
EVERY = bool(os.environ.get("CAUSEWAY_EVERY_COMBINATION"))
SCALERS = [[], ["autoscaling-keda"], ["autoscaling-hpa"]]
SPOOLS = [[], ["external-redis"], ["sentinel"]]


def component_sets() -> Iterator[list[str]]:
    """Yield the sets of components that are tried: each alone and all at once, or with `make test-manifests` every one.

    An external Redis comes after the network policies that it changes.
    """
    if not EVERY:
        yield from ([name] for name in ALWAYS)
        yield from (*SCALERS[1:], *SPOOLS[1:])
    for number in range(len(ALWAYS) + 1) if EVERY else [len(ALWAYS)]:
        for some, scaler, spool in product(combinations(ALWAYS, number), SCALERS, SPOOLS):
            yield [*some, *scaler, *spool]


COMBINATIONS = [
    *(("base", components) for components in component_sets()),
    *(("overlays/dev", components) for components in (component_sets() if EVERY else [[*ALWAYS, *SCALERS[1]]])),
    *(("overlays/production", spool) for spool in SPOOLS[1:]),
]

needs_renderer = needs(RENDERER)


@cache
def overlay(name: str) -> list[Object]:
    return render(ROOT / "overlays" / name)


@pytest.fixture(params=COMBINATIONS, ids=lambda one: "+".join([one[0], *one[1]]))
def combination(request: pytest.FixtureRequest, tmp_path: Path) -> list[Object]:
    onto, components = request.param
    return render_with(components, tmp_path, onto=onto)


def base(service: str) -> Object:
    found: Object = yaml.safe_load((ROOT / "base" / service / "deployment.yaml").read_text())
    return found


def settings_in(overlay_name: str, service: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that a container of the service has, with the configuration of an overlay."""
    for name, value in environment(base(service)).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CAUSEWAY_REDIS__URL", "redis://redis:6379/0")
    return configuration.load(ROOT / "overlays" / overlay_name / "causeway.yaml")


@cache
def schema_fault(written_as_json: str, release: str) -> str:
    try:
        kubernetes_validate.validate(json.loads(written_as_json), release, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{release}: {'.'.join(map(str, error.path))}: {error.message}"
    return ""


def assert_valid(one: Object) -> None:
    if one["kind"] in OTHERS_KINDS:
        return
    faults = [schema_fault(json.dumps(one, sort_keys=True), release) for release in RELEASES]
    assert not any(faults), f"{title(one)}: {faults}"


def assert_restricted(workload: Object) -> None:
    """Pod Security Standard "restricted", and what we ask beyond it."""
    pod, name = pod_of(workload), title(workload)
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), name
    allowed = {"name", "configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
    assert all(volume.keys() <= allowed for volume in pod.get("volumes", [])), name
    assert pod["securityContext"]["runAsNonRoot"] is True, name
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 10001, name
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
    assert pod["automountServiceAccountToken"] is False, name
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), name
        assert {"cpu", "memory"} <= container["resources"]["limits"].keys(), name
        assert {"readinessProbe", "livenessProbe"} <= container.keys(), name


def assert_joined(objects: list[Object]) -> None:
    """Whatever an object points at is there, and whose pods are whose is never in doubt."""
    workloads = of_kind(objects, *WORKLOADS)
    for workload in workloads.values():
        takers = [other for other in workloads.values() if selects(other["spec"]["selector"], labels_of(workload))]
        assert takers == [workload], title(workload)
        pod = pod_of(workload)
        assert pod.get("serviceAccountName", "default") in {"default", *of_kind(objects, "ServiceAccount")}
        for volume in pod.get("volumes", []):
            assert volume.get("configMap", {}).get("name", "addresses") in of_kind(objects, "ConfigMap"), volume
            assert volume.get("secret", {}).get("secretName", "redis") in ("ingress-tls", "redis"), volume
        for source in pod["containers"][0].get("envFrom", []):
            if "configMapRef" in source:
                assert source["configMapRef"]["name"] in of_kind(objects, "ConfigMap")
    for service in of_kind(objects, "Service").values():
        found = [
            candidate for candidate in workloads.values() if selects(service["spec"]["selector"], labels_of(candidate))
        ]
        assert len(found) == 1, title(service)
        ports = {port["name"] for port in pod_of(found[0])["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports, title(service)
    for policy in of_kind(objects, "NetworkPolicy", "PodDisruptionBudget").values():
        selector = policy["spec"].get("podSelector") or policy["spec"].get("selector") or {}
        assert any(selects(selector, labels_of(candidate)) for candidate in workloads.values()), title(policy)
    for scaler in of_kind(objects, "ScaledObject", "HorizontalPodAutoscaler").values():
        assert "replicas" not in workloads[scaler["spec"]["scaleTargetRef"]["name"]]["spec"], title(scaler)


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_every_file_is_yaml(file: Path) -> None:
    assert all(isinstance(document, dict | list) for document in yaml.safe_load_all(file.read_text()))


@pytest.mark.parametrize(
    "one", [pytest.param(manifest, id=f"{file}:{manifest['kind']}") for file, manifest in written()]
)
def test_every_object_written_is_valid_in_the_newest_releases(one: Object) -> None:
    assert_valid(one)


def test_a_misspelt_key_is_no_valid_object() -> None:
    deployment = base("ingress")
    deployment["spec"]["template"]["spec"]["terminationGracePeriod"] = 5
    with pytest.raises(AssertionError, match="terminationGracePeriod"):
        assert_valid(deployment)


WRITTEN_WORKLOADS = [
    pytest.param(manifest, id=title(manifest)) for _, manifest in written() if manifest["kind"] in WORKLOADS
]


@pytest.mark.parametrize("workload", WRITTEN_WORKLOADS)
def test_every_pod_is_restricted(workload: Object) -> None:
    assert_restricted(workload)


def test_a_pod_that_may_write_its_root_is_not_restricted() -> None:
    deployment = base("egress")
    pod_of(deployment)["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False
    with pytest.raises(AssertionError):
        assert_restricted(deployment)


@pytest.mark.parametrize("service", SERVICES)
def test_a_rollout_never_takes_a_pod_before_its_successor_is_ready(service: str) -> None:
    spec = base(service)["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert spec["minReadySeconds"] >= 5
    assert pod_of(base(service))["containers"][0]["readinessProbe"]["httpGet"]["path"] == "/readyz"


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("service", SERVICES)
def test_the_grace_period_outlasts_the_longest_drain(service: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_in(name, service, monkeypatch)
    pod = pod_of(base(service))
    waits = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    assert pod["terminationGracePeriodSeconds"] >= waits + BY_NAME[service].drain_seconds(settings)


def test_a_stop_waits_as_long_as_a_peer_may_take_over_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    ingress = settings_in("production", "ingress", monkeypatch).ingress
    assert ingress.shutdown_timeout >= ingress.data_timeout
    egress = settings_in("production", "egress", monkeypatch).egress
    assert egress.shutdown_timeout >= egress.data_timeout


@pytest.mark.parametrize("service", SERVICES)
def test_a_name_is_found_within_the_time_to_connect_though_packets_of_dns_are_lost(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {one["name"]: int(one["value"]) for one in pod_of(base(service))["dnsConfig"]["options"]}
    assert options["timeout"] == 1
    connect_timeout = settings_in("production", service, monkeypatch).egress.connect_timeout
    assert options["timeout"] * options["attempts"] <= connect_timeout.total_seconds() / 2


@pytest.mark.parametrize("service", ["ingress", "egress"])
def test_memory_holds_twice_what_may_be_in_flight(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    section = getattr(settings_in("production", service, monkeypatch), service)
    limit = pod_of(base(service))["containers"][0]["resources"]["limits"]["memory"]
    assert octets(limit) >= 2 * section.max_bytes_in_flight + 128 * MIB


def test_redis_has_memory_for_the_rewrite_of_its_file_and_never_forgets() -> None:
    redis = yaml.safe_load((ROOT / "base" / "redis" / "stateful-set.yaml").read_text())
    container = pod_of(redis)["containers"][0]
    options = dict(zip(container["args"][::2], container["args"][1::2], strict=True))
    assert (options["--appendonly"], options["--appendfsync"]) == ("yes", "always")
    assert options["--maxmemory-policy"] == "noeviction"
    maxmemory = int(options["--maxmemory"].removesuffix("gb")) * 2**30
    assert octets(container["resources"]["limits"]["memory"]) >= 2 * maxmemory + 128 * MIB
    assert redis["spec"]["volumeClaimTemplates"][0]["metadata"]["name"] == "data"


@pytest.mark.parametrize("name", [*SERVICES, "redis"])
def test_cpu_is_requested_for_a_thousand_messages_a_second_as_measured(name: str) -> None:
    """The table of docs/scale.md has milliseconds a message: so many millicores for one message a second."""
    table = (ROOT.parents[1] / "docs" / "scale.md").read_text()
    [milliseconds] = re.findall(rf"^\| {name} \| ([0-9.]+) \|", table, re.MULTILINE)
    file = "stateful-set.yaml" if name == "redis" else "deployment.yaml"
    workload = yaml.safe_load((ROOT / "base" / name / file).read_text())
    request = pod_of(workload)["containers"][0]["resources"]["requests"]["cpu"]
    together = int(request.removesuffix("m")) * workload["spec"]["replicas"]
    needed = 1000 * float(milliseconds)
    assert needed <= together <= 2 * needed


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("service", SERVICES)
def test_the_configuration_is_what_the_service_can_start_with(
    service: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(name, service, monkeypatch)
    here = settings.model_copy(update={"addresses": settings.addresses.model_copy(update={"map": None})})
    faults = faults_before_start(here)
    assert [fault for fault in faults if "/tls/tls." not in fault] == []
    assert bool(faults) == (service == "ingress"), "the certificate, which is not on this machine, is ingress's alone"


@needs_renderer
@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_is_valid_restricted_and_whole(name: str) -> None:
    for manifest in overlay(name):
        assert_valid(manifest)
        assert manifest["kind"] == "Namespace" or manifest["metadata"]["namespace"] == "causeway", title(manifest)
    for workload in of_kind(overlay(name), *WORKLOADS).values():
        assert_restricted(workload)
    assert_joined(overlay(name))


@needs_renderer
def test_every_combination_is_valid_restricted_and_whole(combination: list[Object]) -> None:
    for component in combination:
        assert_valid(component)
    for workload in of_kind(combination, *WORKLOADS).values():
        assert_restricted(workload)
    assert_joined(combination)


@needs_renderer
def test_production_names_a_release_of_every_causeway_image() -> None:
    images = [
        container["image"]
        for workload in of_kind(overlay("production"), *WORKLOADS).values()
        for container in pod_of(workload)["containers"]
    ]
    ours = [image for image in images if "causeway" in image]
    assert len(ours) == 4
    assert all(re.fullmatch(r"registry\.example\.com/causeway/\w+:[0-9.]+", image) for image in ours)


@needs_renderer
def test_the_namespace_takes_restricted_pods_only() -> None:
    for name in OVERLAYS:
        (namespace,) = of_kind(overlay(name), "Namespace").values()
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@needs_renderer
def test_mx_10_and_mx_20_are_two_balancers_with_pods_of_their_own() -> None:
    balancers = {
        name: service["spec"]
        for name, service in of_kind(overlay("production"), "Service").items()
        if service["spec"].get("type") == "LoadBalancer"
    }
    assert balancers.keys() == {"ingress", "ingress-mx20"}
    assert all(spec["externalTrafficPolicy"] == "Local" for spec in balancers.values())
    deployments = of_kind(overlay("production"), "Deployment")
    for name, spec in balancers.items():
        taken = {other for other, deployment in deployments.items() if selects(spec["selector"], labels_of(deployment))}
        assert taken == {name}
        spread = pod_of(deployments[name])["topologySpreadConstraints"]
        zones = [constraint for constraint in spread if constraint["whenUnsatisfiable"] == "DoNotSchedule"]
        assert [zone["topologyKey"] for zone in zones] == ["topology.kubernetes.io/zone"]
        assert all(selects(zones[0]["labelSelector"], labels_of(deployments[other])) for other in balancers)


@needs_renderer
def test_who_may_speak_to_whom() -> None:
    objects = overlay("production")
    pods = {name: labels_of(workload) for name, workload in of_kind(objects, *WORKLOADS).items()}
    policies = [workload["spec"] for workload in of_kind(objects, "NetworkPolicy").values()]

    def ports(pod: str, direction: str) -> set[Any]:
        rules = [
            rule
            for policy in policies
            if selects(policy["podSelector"], pods[pod])
            for rule in policy.get(direction, [])
        ]
        return {port["port"] for rule in rules for port in rule["ports"]}

    assert {pod: ports(pod, "egress") for pod in pods} == {
        "ingress": {53, 6379},
        "ingress-mx20": {53, 6379},
        "transform": {53, 6379},
        "egress": {53, 6379, 25, 465},
        "redis": set(),
    }
    assert {pod: ports(pod, "ingress") for pod in pods} == {
        "ingress": {"smtp", "http"},
        "ingress-mx20": {"smtp", "http"},
        "transform": {"http"},
        "egress": {"http"},
        "redis": {"redis"},
    }
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in policies, "what is not named is denied"


@needs_renderer
@pytest.mark.parametrize("component", ["external-redis", "sentinel"])
def test_an_external_redis_leaves_no_redis_object(component: str, tmp_path: Path) -> None:
    objects = render_with(["network-policies", component], tmp_path)
    assert not [title(manifest) for manifest in objects if manifest["metadata"]["name"] == "redis"]
    (policy,) = (manifest for manifest in objects if title(manifest) == "NetworkPolicy/to-redis")
    assert all("to" not in rule for rule in policy["spec"]["egress"])


@needs_renderer
def test_the_sentinels_are_settings_that_the_program_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = render_with(["sentinel"], tmp_path)
    (spool,) = (workload for name, workload in of_kind(objects, "ConfigMap").items() if name.startswith("spool-"))
    for name, value in {**environment(base("egress")), **spool["data"]}.items():
        monkeypatch.setenv(name, value)
    settings = configuration.load(tmp_path / "causeway.yaml")
    assert settings.redis.durability == "replicated"
    assert settings.redis.sentinel
    here = settings.model_copy(update={"addresses": settings.addresses.model_copy(update={"map": None})})
    assert faults_before_start(here) == []


@needs_renderer
def test_scalers_ask_for_metrics_that_exist() -> None:
    known = {metric._name for metric in vars(metrics).values() if isinstance(metric, Counter | Gauge | Histogram)}
    queries = [
        trigger["metadata"]["query"]
        for scaler in of_kind(overlay("production"), "ScaledObject").values()
        for trigger in scaler["spec"]["triggers"]
        if trigger["type"] == "prometheus"
    ]
    assert len(queries) == 4
    assert {name for query in queries for name in re.findall(r"causeway_\w+", query)} <= known


def test_the_rules_are_those_of_the_monitoring() -> None:
    """`make manifests` writes them anew."""
    rules = yaml.safe_load((ROOT.parent / "monitoring" / "rules.yaml").read_text())
    made = yaml.safe_load((ROOT / "components" / "prometheus-operator" / "prometheus-rule.yaml").read_text())
    assert made["spec"] == rules


def test_the_jobs_are_those_of_the_rules() -> None:
    monitor = yaml.safe_load((ROOT / "components" / "prometheus-operator" / "pod-monitor.yaml").read_text())
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    (job,) = endpoint["relabelings"]
    assert job["sourceLabels"] == ["__meta_kubernetes_pod_label_app_kubernetes_io_component"]
    made = {
        job["replacement"].replace("$1", labels_of(base(service))["app.kubernetes.io/component"])
        for service in SERVICES
    }
    rules = (ROOT.parent / "monitoring" / "rules.yaml").read_text()
    assert made == set(re.findall(r'absent\(up\{job="([^"]+)"\}\)', rules))
