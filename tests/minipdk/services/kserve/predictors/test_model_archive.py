"""Model archives: the choice of the archive to serve, its name, and the archives that are refused."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.minipdk.services.kserve.conftest import Archiver

from minipdk.services.kserve.predictors.errors import ArchiveError
from minipdk.services.kserve.predictors.model_archive import ServerConfig, find_archive, named_models, read_config, unpack

SNAPSHOT = (
    'model_snapshot={"name":"startup.cfg","modelCount":1,"models":{"%s":{"1.0":{"defaultVersion":true,"marName":"%s"}}}}'
)


def model_folder(tmp_path: Path, *archives: str, config: str | None = None) -> Path:
    for name in archives:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    if config is not None:
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "config.properties").write_text(config)
    return tmp_path


@pytest.mark.parametrize("place", ["churn.mar", "model-store/churn.mar"])
def test_an_archive_is_found_at_the_top_and_in_the_model_store(tmp_path: Path, place: str) -> None:
    archive, name = find_archive(model_folder(tmp_path, place), ServerConfig({}))
    assert (archive, name) == (tmp_path / place, None)


def test_a_model_store_is_the_only_folder_looked_in(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, "a.mar", "model-store/b.mar")
    archive, _ = find_archive(folder, ServerConfig({}), folder / "model-store")
    assert archive.name == "b.mar"


def test_the_model_snapshot_names_the_model(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, "model-store/a.mar", "model-store/b.mar", config=SNAPSHOT % ("churn", "b.mar"))
    archive, name = find_archive(folder, read_config(folder))
    assert (archive.name, name) == ("b.mar", "churn")


def test_torchserves_models_option_names_the_model(tmp_path: Path) -> None:
    assert named_models(["churn=b.mar", "c.mar"]) == {"churn": "b.mar", "c": "c.mar"}
    assert named_models(["all"]) == {}
    with pytest.raises(ArchiveError, match="a model at a URL is not supported by minipdk"):
        named_models(["churn=https://example.com/churn.mar"])


def test_variables_replace_settings_where_the_configuration_allows_it(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, config="enable_envvars_config=true\nmax_request_size=7\n")
    variables = {"TS_MAX_REQUEST_SIZE": "8", "TS_INSTALL_PY_DEP_PER_MODEL": "true"}
    assert read_config(folder, None, variables) == ServerConfig({}, 8, install_requirements=True)
    other = tmp_path / "other.properties"
    other.write_text("max_request_size=9\n")
    assert read_config(folder, None, {**variables, "TS_CONFIG_FILE": str(other)}) == ServerConfig({}, 9)
    with pytest.raises(ArchiveError, match="there is no /none, which TS_CONFIG_FILE names"):
        read_config(folder, other, {"TS_CONFIG_FILE": "/none"})


def test_a_folder_without_an_archive_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"no \.mar archive.*found: model\.onnx"):
        find_archive(model_folder(tmp_path, "model.onnx"), ServerConfig({}))


def test_two_archives_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"2 models .* not supported by minipdk \(a\.mar, b\.mar\)"):
        find_archive(model_folder(tmp_path, "a.mar", "b.mar"), ServerConfig({}))


def test_a_snapshot_that_names_an_absent_archive_is_refused(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, "a.mar", config=SNAPSHOT % ("churn", "churn.mar"))
    with pytest.raises(ArchiveError, match=r"the configuration names churn\.mar, but the storageUri holds a\.mar"):
        find_archive(folder, read_config(folder))


def test_torchserves_settings_are_read(tmp_path: Path) -> None:
    folder = model_folder(
        tmp_path, config="# comment\nmax_request_size = 1000\ninstall_py_dep_per_model=true\nNUM_WORKERS=1\n"
    )
    assert read_config(folder) == ServerConfig({}, max_request_size=1000, install_requirements=True)


@pytest.mark.parametrize("config", ["model_snapshot={", "model_snapshot=[]", "max_request_size=many"])
def test_a_malformed_config_is_refused(tmp_path: Path, config: str) -> None:
    with pytest.raises(ArchiveError, match=r"config\.properties is malformed"):
        read_config(model_folder(tmp_path, config=config))


def test_an_archive_unpacks_with_its_name_version_and_handler(tmp_path: Path, make_archive: Archiver) -> None:
    model = unpack(make_archive("churn"), tmp_path / "out")
    assert (model.name, model.version, model.handler) == ("churn", "1.0", "handler.py")
    assert (tmp_path / "out" / "factor.json").exists()


def zipped(path: Path, *members: zipfile.ZipInfo | str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, b"content")
    return path


unsafe = st.one_of(
    st.sampled_from(["/etc/passwd", "..", "../x", "a/../../x", "a\\..\\x", "\\\\host\\share", "C:/x", "c:x"]),
    st.lists(st.sampled_from(["a", "b", ".."]), min_size=1).filter(lambda parts: ".." in parts).map("/".join),
)


@given(name=unsafe)
def test_a_path_out_of_the_archive_is_refused_and_nothing_is_written(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    folder = tmp_path_factory.mktemp("slip")
    archive = zipped(folder / "slip.mar", "safe.txt", name)
    with pytest.raises(ArchiveError, match=r"slip\.mar holds the unsafe path"):
        unpack(archive, folder / "out")
    assert sorted(path.name for path in folder.iterdir()) == ["slip.mar"]


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(ArchiveError, match=r"link or device 'link'"):
        unpack(zipped(tmp_path / "link.mar", link), tmp_path / "out")


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (None, r"has no MAR-INF/MANIFEST\.json"),
        ("{", "manifest of x.mar is malformed"),
        ('{"model": {"modelName": "churn"}}', "malformed: KeyError: 'handler'"),
        ("[]", "malformed: TypeError"),
    ],
)
def test_an_archive_without_a_sound_manifest_is_refused(tmp_path: Path, manifest: str | None, message: str) -> None:
    with zipfile.ZipFile(tmp_path / "x.mar", "w") as archive:
        archive.writestr("handler.py", "")
        if manifest is not None:
            archive.writestr("MAR-INF/MANIFEST.json", manifest)
    with pytest.raises(ArchiveError, match=message):
        unpack(tmp_path / "x.mar", tmp_path / "out")


def test_what_is_no_zip_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.mar").write_bytes(b"not a zip file")
    with pytest.raises(ArchiveError, match=r"x\.mar is broken or no zip archive"):
        unpack(tmp_path / "x.mar", tmp_path / "out")


@pytest.mark.parametrize(
    ("config", "cores", "workers"),
    [
        ("", 1, 1),
        ("", 3, 3),
        ("", 64, 4),
        ("default_workers_per_model=6", 2, 6),
        ('model_snapshot={"models": {"churn": {"1": {"minWorkers": 1, "maxWorkers": 5}}}}', 64, 5),
        ('model_snapshot={"models": {"churn": {"1": {"minWorkers": 3, "maxWorkers": 5}}}}', 2, 3),
        ('model_snapshot={"models": {"churn": {"1": {"minWorkers": 0, "maxWorkers": 0}}}}', 2, 1),
        ('model_snapshot={"models": {"churn": {"1": {}}}}', 2, 2),
    ],
)
def test_there_is_a_worker_for_each_core_within_the_models_bounds(
    tmp_path: Path, config: str, cores: int, workers: int
) -> None:
    assert read_config(model_folder(tmp_path, config=config)).workers("churn", cores) == workers
