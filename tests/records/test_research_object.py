"""A record is a research object that other software can read: an RO-Crate of the Process Run Crate profile."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
import requests
from recorded_campaigns import TINY, write_plainly
from rocrate.rocrate import ROCrate
from rocrate_validator import services
from rocrate_validator.models import Severity
from rocrate_validator.utils.http import HttpRequester

from cellos_nb import Lab
from cellos_nb.records.crate import CRATE
from cellos_nb.records.manifest import sha256_of

# The validator's own.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib", "ignore::DeprecationWarning:pyshacl",
                                        "ignore:.*ConjunctiveGraph.*:DeprecationWarning")  # fmt: skip
CONTEXT = "https://w3id.org/ro/crate/1.1/context"


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crate")
    with Lab.open(folder / "lab.db") as lab:
        return write_plainly(lab, lab.run(TINY).campaign_id, folder / "record")


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """The one document that validators fetch, from the package that ships it."""
    context = (files("rocrate") / "data" / "ro-crate.jsonld").read_bytes()

    def get(_, url, **kwargs):
        assert url == CONTEXT, f"{url} would be fetched"
        response = requests.Response()
        response.status_code, response.url, response._content = 200, url, context
        response.headers["Content-Type"] = "application/ld+json"
        return response

    monkeypatch.setattr(HttpRequester, "get", get, raising=False)
    return tmp_path / "cache"


def issues(record, cache, severity):
    found = services.validate({
        "rocrate_uri": str(record), "profile_identifier": "process-run-crate-0.5", "requirement_severity": severity,
        "offline": True, "cache_path": cache,
    })  # fmt: skip
    assert found.context.profile_identifier == "process-run-crate-0.5"
    return [f"{issue.check.identifier}: {issue.message}" for issue in found.get_issues()]


def test_the_validator_accepts_everything_that_the_profile_requires(record, offline):
    assert issues(record, offline, Severity.REQUIRED) == []


def test_the_validator_misses_nothing_that_the_profile_recommends(record, offline):
    # What RO-Crate itself recommends beyond (author, affiliation, licence of a lab's data) a campaign cannot know.
    said = issues(record, offline, Severity.RECOMMENDED)
    assert [line for line in said if line.startswith("process-run-crate")] == []


def test_the_validator_finds_what_is_missing(record, offline, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    crate = json.loads((record / CRATE).read_text(encoding="utf-8"))
    for entity in crate["@graph"]:
        entity.pop("instrument", None)
    (broken / CRATE).write_text(json.dumps(crate), encoding="utf-8")
    said = issues(broken, offline, Severity.REQUIRED)
    assert any("instrument" in line for line in said)


def test_every_file_stands_in_it_with_its_hash_and_as_what_was_asked_or_found(record):
    crate = ROCrate(str(record))
    there = {path.relative_to(record).as_posix() for path in record.rglob("*") if path.is_file()} - {CRATE}
    (action,) = crate.root_dataset["mentions"]
    asked, found = ({entity.id for entity in action[key]} for key in ("object", "result"))
    assert asked == {"campaign.yaml"}
    assert found == there - asked - {"manifest.json"}
    for name in asked | found:
        assert crate.get(name)["sha256"] == sha256_of(record / name)
    assert action["instrument"]["softwareVersion"]
    assert action["agent"]["name"] == "ada"
    assert "10.1038/s44320-023-00004-7" in crate.root_dataset["isBasedOn"][0]["name"]
