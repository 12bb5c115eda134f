"""The documentation agrees with the code: commands, folders, fields that are refused or only echoed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_readme_names_every_make_target_and_command() -> None:
    readme = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M)) - {"help"}
    commands = subprocess.run([Path(sys.executable).with_name("minipdk"), "--help"], capture_output=True, text=True).stdout
    verbs = re.findall(r"│ ([a-z]+) ", commands)
    assert targets
    assert verbs
    assert [name for name in targets if f"make {name}" not in readme] == []
    assert [name for name in verbs if f"minipdk {name}" not in readme] == []


def test_every_field_that_is_only_echoed_is_documented() -> None:
    from minipdk.services.determined.config import ECHOED as EXPERIMENT_FIELDS
    from minipdk.services.kserve.fields import ECHOED as PREDICTOR_FIELDS
    from minipdk.services.kserve.fields import RUNTIME_ECHOED as RUNTIME_FIELDS
    from minipdk.services.node.starting import ECHOED as POD_FIELDS
    from minipdk.services.pachyderm.pps.validation import ACCEPTED_AND_ECHOED as PIPELINE_FIELDS

    document = (ROOT / "docs" / "minipdk.md").read_text()
    fields = [*PIPELINE_FIELDS, *EXPERIMENT_FIELDS, *PREDICTOR_FIELDS, *RUNTIME_FIELDS, *POD_FIELDS]
    assert [field for field in fields if f"`{field}`" not in document] == []


def test_every_pipeline_field_that_is_refused_is_documented() -> None:
    from minipdk.services.pachyderm.pps.validation import REFUSED

    document = (ROOT / "docs" / "minipdk.md").read_text()
    assert [field for field in REFUSED if f"`{field}`" not in document] == []


def test_every_field_of_a_pod_that_is_refused_is_documented() -> None:
    from minipdk.services.node import starting

    document = (ROOT / "docs" / "minipdk.md").read_text()
    refused = (value for name, value in vars(starting).items() if name.startswith("REFUSED_"))
    fields = [field for fields in refused for field in fields]
    assert fields
    assert [field for field in fields if f"`{field}`" not in document] == []


def test_every_subresource_of_kubernetes_that_is_refused_is_documented() -> None:
    from minipdk.services.kubernetes.kinds import UNSUPPORTED_SUBRESOURCES

    document = (ROOT / "docs" / "minipdk.md").read_text()
    refused = {part for parts in UNSUPPORTED_SUBRESOURCES.values() for part in parts}
    assert [part for part in refused if f"`{part}`" not in document] == []


def test_every_kind_that_is_decoded_from_protobuf_is_documented() -> None:
    from minipdk.services.kubernetes.protobuf import kinds

    document = (ROOT / "docs" / "minipdk.md").read_text()
    assert [kind for kind in kinds() if f"`{kind}`" not in document] == []


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "make test" in (ROOT / "README.md").read_text()
    assert re.search(r"^make test\b", (ROOT / ".ci/run").read_text(), re.M)
