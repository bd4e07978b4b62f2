"""The manifests against KubeRay's schemas, Serve's schema, and the code that they name."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from ray.serve.schema import ServeDeploySchema

from sentiment.settings import Settings
from serve_app.app import build_app
from serve_app.rollout.cluster.placement import Capacity

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT.parent / "shared" / "kuberay-schemas"
KINDS = {"RayService": "rayservice-v1.json"}


def documents(path: Path) -> list[dict]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def service() -> dict:
    [document] = documents(ROOT / "kuberay" / "rayservice.yaml")
    return document


def serve_config() -> dict:
    [document] = documents(ROOT / "kuberay" / "serve-config.yaml")
    return document


def containers() -> list[dict]:
    cluster = service()["spec"]["rayClusterConfig"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [container for group in groups for container in group["template"]["spec"]["containers"]]


def deployments_of(config: dict) -> dict[str, dict]:
    [application] = config["applications"]
    return {deployment["name"]: deployment for deployment in application["deployments"]}


@pytest.mark.skipif(not SCHEMAS.exists(), reason=f"the KubeRay schemas are not at {SCHEMAS.name} beside the project")
def test_every_kuberay_manifest_is_valid_against_its_schema():
    found = [document for path in (ROOT / "kuberay").glob("*.yaml") for document in documents(path)]
    kuberay = [document for document in found if document.get("apiVersion") == "ray.io/v1"]
    assert kuberay
    for document in kuberay:
        jsonschema.validate(document, json.loads((SCHEMAS / KINDS[document["kind"]]).read_text()))


@pytest.mark.parametrize("config", [serve_config(), yaml.safe_load(service()["spec"]["serveConfigV2"])])
def test_the_serve_config_is_valid_and_names_what_the_code_has(config):
    ServeDeploySchema.model_validate(config)
    deployments = deployments_of(config)
    assert config["applications"][0]["import_path"] == f"{build_app.__module__}:{build_app.__name__}"
    assert set(deployments) == {"Gateway", "Preprocessor", "Sink", "Insight", "RolloutController"}
    Capacity.model_validate(deployments["RolloutController"]["user_config"])


def test_the_service_carries_the_serve_config():
    assert yaml.safe_load(service()["spec"]["serveConfigV2"]) == serve_config()


def test_the_network_policy_lets_others_in_to_the_api_only():
    [policy] = documents(ROOT / "kuberay" / "network-policy.yaml")
    own, others = policy["spec"]["ingress"]
    assert "from" in own
    assert [port["port"] for port in others["ports"]] == [serve_config()["http_options"]["port"]]


def test_there_is_a_group_with_gpus_and_one_without():
    limits = [container["resources"]["limits"] for container in containers()[1:]]
    assert [("nvidia.com/gpu" in limit) for limit in limits] == [False, True]


def test_the_containers_set_only_settings_that_exist_and_no_secret_in_the_clear():
    for container in containers():
        variables = {variable["name"]: variable for variable in container["env"]}
        own = {name.removeprefix("UNDERTONE_").lower() for name in variables if name.startswith("UNDERTONE_")}
        assert own <= set(Settings.model_fields)
        for name in ("UNDERTONE_SECRET", "UNDERTONE_MONGO_URI"):
            assert "secretKeyRef" in variables[name]["valueFrom"]


def test_the_cluster_asks_for_a_token():
    assert service()["spec"]["rayClusterConfig"]["authOptions"]["mode"] == "token"


def test_the_runbooks_environment_of_a_cluster_has_all_of_serves_settings_that_the_manifests_have():
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    for container in containers():
        for variable in container["env"]:
            if variable["name"].startswith("RAY_SERVE_"):
                wanted = (f"{variable['name']}={variable['value']}", f'{variable["name"]}="{variable["value"]}"')
                assert any(each in runbook for each in wanted), wanted[0]
    assert "--dashboard-host" in runbook, "jobs come from other machines"
