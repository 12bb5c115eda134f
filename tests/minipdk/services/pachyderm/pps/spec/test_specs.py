"""Pipeline specs are parsed strictly: an error names the field and the remedy."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import InvalidRequestError, PachydermError, UnsupportedError
from minipdk.services.pachyderm.pps.spec import inputs, parsing, pod_patch, validation

MINIMAL: parsing.Json = {
    "pipeline": {"name": "edges"},
    "transform": {"image": "edges:1.0", "cmd": ["python3", "/edges.py"]},
    "input": {"pfs": {"repo": "images", "glob": "/*"}},
}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=3),
)
PATCHES = st.dictionaries(st.text(max_size=2), JSON_VALUES, max_size=3)


def request(**changes: object) -> wire.pps.CreatePipelineRequest:
    """The minimal spec with fields replaced, as pachd would parse it."""
    return parsing.to_request(parsing.effective({}, {}, {**MINIMAL, **changes}))


def test_snake_case_and_camel_case_mean_the_same() -> None:
    assert request(parallelism_spec={"constant": "3"}) == request(parallelismSpec={"constant": 3})


def test_the_iris_seeds_parallelism_is_valid_as_it_is() -> None:
    assert request(parallelism_spec={"constant": "1"}).parallelism_spec.constant == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"transfrom": {}}, 'unknown field "transfrom" in pps_v2.CreatePipelineRequest: did you mean "transform"?'),
        ({"transform": {"imge": "x"}}, 'unknown field "transform.imge" in pps_v2.Transform: did you mean "image"?'),
        ({"input": {"cross": [{"pfs": {"glb": "/"}}]}}, 'unknown field "input.cross[0].pfs.glb"'),
        ({"transform": ["sh"]}, "field transform must be a JSON object, not an array"),
        ({"input": {"cross": {}}}, "field input.cross must be a list, not an object"),
        ({"job_timeout": "5m"}, 'a duration is a number of seconds followed by s, such as "300s"'),
        ({"datum_tries": "many"}, "datumTries"),
        ({"datum_tries": 1, "datumTries": 2}, 'field "datumTries" is set twice, as datum_tries and as datumTries'),
    ],
)
def test_a_malformed_spec_is_refused_with_the_field_named(changes: parsing.Json, words: str) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        request(**changes)
    assert words in str(refusal.value)


@pytest.mark.parametrize("text", ["{", "[]", '"x"', '{"a": 1, "a": 2}'])
def test_json_other_than_an_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="the pipeline spec"):
        parsing.parse_object(text, "the pipeline spec")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pipeline": {"name": ""}}, "Pipeline.Name cannot be empty"),
        ({"pipeline": {"name": "a.b"}}, r"name \(a.b\) invalid: only alphanumeric"),
        ({"pipeline": {"name": "-a"}}, "must start with an alphanumeric character"),
        ({"pipeline": {"name": "a" * 52}}, "is 1 characters longer than the 51 max"),
        ({"reprocess_spec": "always"}, "ReprocessSpec must be one of 'until_success' or 'every_job'"),
        (
            {"transform": {"cmd": ["a"], "secrets": [{"name": "s", "env_var": "E"}]}},
            "secret s has env_var set but is missing key",
        ),
        ({"transform": {"cmd": ["a"], "secrets": [{"name": "s"}]}}, "needs an env_var with a key, or a mount_path"),
        ({"datum_timeout": "0s"}, "datum_timeout must be longer than 0"),
        ({"datum_set_spec": {"number": 1, "per_worker": 1}}, "per_worker cannot be set with number"),
    ],
)
def test_a_spec_that_cannot_be_a_pipeline_is_refused(changes: parsing.Json, words: str) -> None:
    with pytest.raises(PachydermError, match=words):
        validation.validate_request(request(**changes))


UNSUPPORTED = [
    ({"tf_job": {"tf_job": "{}"}}, "tf_job"),
    ({"egress": {"url": "s3://bucket"}}, "egress"),
    ({"egress": {"URL": "s3://bucket"}}, "egress"),
    ({"pod_spec": "{}"}, "pod_spec"),
    ({"spec_commit": {"id": "x"}}, "spec_commit"),
    ({"transform": {"cmd": ["a"], "dockerfile": "x"}}, "transform.dockerfile"),
]


@pytest.mark.parametrize(("changes", "name"), UNSUPPORTED)
def test_an_unsupported_field_is_refused_by_name(changes: parsing.Json, name: str) -> None:
    with pytest.raises(UnsupportedError, match=f"^{name} is not supported by minipdk$"):
        validation.validate_request(request(**changes))


S3_INPUT = {"pfs": {"repo": "a", "glob": "/", "s3": True}}


def validated(node: parsing.Json) -> wire.pps.Input:
    parsed = request(input=node).input
    inputs.set_defaults(parsed, pipeline="edges", project="default", now=lambda timestamp: timestamp.GetCurrentTime())
    inputs.validate(parsed)
    return parsed


def test_every_refused_field_is_tested() -> None:
    assert {name for _, name in UNSUPPORTED} == set(validation.REFUSED)


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({}, "no input set"),
        ({"pfs": {"glob": "/*"}}, "must specify a name"),
        ({"pfs": {"repo": "a"}}, "must specify a glob"),
        ({"pfs": {"repo": "out", "glob": "/"}}, "input cannot be named out"),
        *(
            ({"pfs": {"repo": "a", "glob": "/", "name": name}}, "which must be below /pfs")
            for name in ("/etc", "..", "../a", "a/../../b", ".", "a\0")
        ),
        ({"pfs": {"repo": "a", "glob": "/", "commit": "x"}}, "input cannot come from a commit"),
        ({"cross": [{"pfs": {"repo": "a", "glob": "/"}}] * 2}, 'name "a" was used more than once'),
        ({"pfs": {"repo": "a", "glob": "/"}, "cross": [{"pfs": {"repo": "b", "glob": "/"}}]}, "multiple input types set"),
        ({"pfs": {"repo": "a", "glob": "/*", "s3": True}}, "must also set 'glob' to \"/\""),
        ({"pfs": {"repo": "a", "glob": "/", "s3": True, "lazy": True}}, "cannot specify both 's3' and 'lazy'"),
        ({"pfs": {"repo": "a", "glob": "/", "s3": True, "empty_files": True}}, "cannot specify both 's3' and 'empty_files'"),
        ({"union": [S3_INPUT]}, "S3 inputs in union expressions are not supported"),
        ({"join": [{"cross": [S3_INPUT]}]}, "S3 inputs in join expressions are not supported"),
        ({"group": [S3_INPUT]}, "S3 inputs in group expressions are not supported"),
    ],
)
def test_an_input_that_cannot_be_is_refused(node: parsing.Json, words: str) -> None:
    with pytest.raises(PachydermError, match=words):
        validated(node)


def test_the_members_of_a_union_may_share_a_name() -> None:
    assert len(validated({"union": [{"pfs": {"repo": "a", "glob": "/"}}] * 2}).union) == 2


def test_an_inputs_defaults_are_filled_in() -> None:
    pfs = validated({"pfs": {"repo": "images", "glob": "*"}}).pfs
    assert (pfs.name, pfs.branch, pfs.project, pfs.repo_type, pfs.glob) == ("images", "master", "default", "user", "/*")


def test_defaults_are_merged_below_the_users_spec() -> None:
    cluster = {"create_pipeline_request": {"datum_tries": 1, "transform": {"image": "base", "user": "me"}}}
    project = {"createPipelineRequest": {"datumTries": 2}}
    effective = parsing.effective(cluster, project, MINIMAL)
    assert effective["datumTries"] == 2
    assert effective["transform"] == {"image": "edges:1.0", "cmd": ["python3", "/edges.py"], "user": "me"}
    assert effective["outputBranch"] == "master"


@settings(deadline=None)
@given(PATCHES)
def test_merging_a_spec_twice_changes_nothing_more(patch: parsing.Json) -> None:
    once = parsing.merged(patch)
    assert parsing.merged(once, patch) == once
    json.dumps(once)


# pod_patch

CHURN_PATCH = json.dumps(
    [
        {
            "op": "add",
            "path": "/volumes/-",
            "value": {"name": "checkpoints", "hostpath": {"path": "/mnt/shared", "type": "Directory"}},
        },
        {
            "op": "add",
            "path": "/containers/0/volumeMounts/-",
            "value": {"mountPath": "/determined_shared_fs", "name": "checkpoints"},
        },
    ]
)


@pytest.mark.parametrize("spelling", ["hostpath", "hostPath"])
def test_a_host_path_in_pod_patch_becomes_a_mount(spelling: str) -> None:
    (mount,) = pod_patch.parse(CHURN_PATCH.replace("hostpath", spelling))
    assert (str(mount.source), mount.target, mount.read_only) == ("/mnt/shared", "/determined_shared_fs", False)


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ([{"op": "remove", "path": "/volumes/0"}], 'pod_patch with op "remove" on /volumes/0'),
        ([{"op": "add", "path": "/nodeName", "value": {"a": 1}}], "pod_patch on /nodeName"),
        ([{"op": "add", "path": "/volumes/-", "value": {"name": "v", "emptyDir": {}}}], "of kind emptydir"),
        (
            [
                {"op": "add", "path": "/volumes/-", "value": {"name": "v", "hostPath": {"path": "/a"}}},
                {
                    "op": "add",
                    "path": "/containers/0/volumeMounts/-",
                    "value": {"name": "v", "mountPath": "/b", "mountPropagation": "x"},
                },
            ],
            "with mountpropagation",
        ),
    ],
)
def test_anything_else_in_pod_patch_is_refused_by_name(patch: list[object], words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        pod_patch.parse(json.dumps(patch))


@pytest.mark.parametrize(
    "patch",
    [
        "{",
        "{}",
        "[1]",
        json.dumps([{"op": "add", "path": "/volumes/-", "value": {"name": "v", "hostPath": {"path": "a/../b"}}}]),
        json.dumps([{"op": "add", "path": "/containers/0/volumeMounts/-", "value": {"name": "v", "mountPath": "/b"}}]),
    ],
)
def test_a_malformed_pod_patch_is_refused(patch: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"PodPatch|pod_patch"):
        pod_patch.parse(patch)


def test_an_unset_name_of_a_wire_message_is_the_default_project() -> None:
    assert not wire.pps.Pipeline().project.name
