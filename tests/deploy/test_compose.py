import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from prometheus_client import CollectorRegistry

from stream.bridges.telemetry import BridgeTelemetry
from stream.telemetry import Telemetry

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SCHEMA = json.loads((ROOT / "tests/fixtures/compose-spec/compose-spec.json").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


def exported_metrics(registry: CollectorRegistry) -> set[str]:
    """Every name under which Prometheus stores something of ours."""
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "info": ("_info",)}
    return {
        family.name + suffix for family in registry.collect() for suffix in suffixes.get(family.type, ("",))
    }


def metrics_in(text: str) -> set[str]:
    return set(re.findall(r"\bstreamgauge_[a-z_]+", text))


def expressions(path: Path) -> list[str]:
    if path.suffix == ".json":
        return [
            target["expr"] for panel in json.loads(path.read_text())["panels"] for target in panel["targets"]
        ]
    groups = yaml.safe_load(path.read_text())["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def test_the_compose_file_satisfies_the_compose_specification() -> None:
    jsonschema.validate(COMPOSE, SCHEMA)


@pytest.mark.parametrize(
    "broken", [{"imagee": "x"}, {"depends_on": {"kafka": {"condition": "service_happy"}}}]
)
def test_the_specification_refuses_what_compose_would_refuse(broken: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"services": {"worker": broken}}, SCHEMA)


def test_every_service_that_is_waited_for_exists_and_can_reach_the_awaited_condition() -> None:
    waits = [
        (name, target, wait["condition"])
        for name, service in SERVICES.items()
        for target, wait in service.get("depends_on", {}).items()
    ]
    assert waits
    for name, target, condition in waits:
        assert target in SERVICES, f"{name} waits for {target}"
        if condition == "service_healthy":
            built = "build" in SERVICES[target]  # then the image's own health check counts
            disabled = SERVICES[target].get("healthcheck", {}).get("disable", False)
            assert not disabled
            assert built or "test" in SERVICES[target]["healthcheck"]
        else:
            assert SERVICES[target]["restart"] == "no"


def test_the_worker_can_be_scaled() -> None:
    assert not {"container_name", "ports", "hostname"} & SERVICES["worker"].keys()


@pytest.mark.parametrize(("place", "name"), list(enumerate(["worker", "bridge"])))
def test_prometheus_finds_every_replica(place: int, name: str) -> None:
    service = SERVICES[name]
    job = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"][place]
    assert job["dns_sd_configs"][0]["names"] == [name]
    assert str(job["dns_sd_configs"][0]["port"]) == service["command"][-1] == service["expose"][0]


def test_ports_are_published_on_loopback_only() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_mounted_file_is_in_the_repository_and_every_volume_is_declared() -> None:
    mounts = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    for mount in mounts:
        assert (ROOT / mount).exists() if mount.startswith("./") else mount in COMPOSE["volumes"], mount


def test_every_image_names_a_version() -> None:
    images = {name: service["image"] for name, service in SERVICES.items() if "build" not in service}
    assert len(images) == 4
    assert all(re.search(r":v?\d+\.\d+\.\d+$", image) for image in images.values())


@pytest.mark.parametrize(
    "path",
    [DEPLOY / "prometheus/streamgauge.rules.yml", DEPLOY / "grafana/dashboards/streamgauge.json"],
    ids=lambda path: path.name,
)
def test_rules_and_dashboards_use_metrics_that_are_exported(path: Path) -> None:
    used = {name for expression in expressions(path) for name in metrics_in(expression)}
    assert used
    registries = Telemetry("test").registry, BridgeTelemetry("test").registry
    assert used <= set().union(*map(exported_metrics, registries))


def test_rules_name_jobs_that_are_scraped() -> None:
    scraped = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    rules = (DEPLOY / "prometheus/streamgauge.rules.yml").read_text()
    assert set(re.findall(r'job="([^"]+)"', rules)) == {job["job_name"] for job in scraped}


def test_panels_use_the_provisioned_datasource() -> None:
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())
    known = {source["uid"] for source in sources["datasources"]}
    panels = json.loads((DEPLOY / "grafana/dashboards/streamgauge.json").read_text())["panels"]
    assert {panel["datasource"]["uid"] for panel in panels} <= known
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_dashboard_panels_do_not_overlap() -> None:
    panels = json.loads((DEPLOY / "grafana/dashboards/streamgauge.json").read_text())["panels"]
    places = [panel["gridPos"] for panel in panels]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_hosts_that_services_call_are_services() -> None:
    prometheus = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    managers = prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    kafka = yaml.safe_load((DEPLOY / "streamgauge.yaml").read_text())["kafka"]["bootstrap.servers"]
    grafana = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())
    called = [*managers, kafka, grafana["datasources"][0]["url"].removeprefix("http://")]
    assert {address.split(":")[0] for address in called} <= SERVICES.keys()
