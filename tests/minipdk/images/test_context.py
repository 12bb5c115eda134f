"""Which files COPY may take: never one outside the build context."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minipdk.images.context import Context, ContextError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (
        "context/a.py",
        "context/b.py",
        "context/data/x.csv",
        "context/data/deep/y.csv",
        "context/.git/HEAD",
        "secret",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path / "context"


def names(root: Path, pattern: str, ignore: str = "") -> list[str]:
    return [entry.name for source in Context(root, ignore).select(pattern) for entry in source.entries]


def paths(root: Path, pattern: str, ignore: str = "") -> set[str]:
    entries = {entry.path for source in Context(root, ignore).select(pattern) for entry in source.entries}
    return {path for path in entries if (root / path).is_file()}


def test_a_file_a_folder_and_a_pattern(root: Path) -> None:
    assert [source.path for source in Context(root).select("a.py")] == ["a.py"]
    assert names(root, "data") == [".", "deep", "deep/y.csv", "x.csv"]
    assert paths(root, "*.py") == {"a.py", "b.py"}
    assert paths(root, "d*/[x-z].c?v") == {"data/x.csv"}
    assert paths(root, "/data/../a.py") == {"a.py"}


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        ("*.py", {"data/x.csv", "data/deep/y.csv", ".git/HEAD"}),
        (".git\n# comment\n\n", {"a.py", "b.py", "data/x.csv", "data/deep/y.csv"}),
        ("**/*.csv", {"a.py", "b.py", ".git/HEAD"}),
        ("*\n!data/deep", {"data/deep/y.csv"}),
        ("/data/\n!data/x.csv", {"a.py", "b.py", ".git/HEAD", "data/x.csv"}),
        ("data/*\n!data/x.csv\n.git\n?.py", {"data/x.csv"}),
    ],
)
def test_dockerignore_hides_files(root: Path, ignore: str, left: set[str]) -> None:
    assert paths(root, ".", ignore) == left


@pytest.mark.parametrize(
    ("ignore", "path", "excluded"),
    [
        ("README", "readme", False),
        ("*", ".dockerignore", True),
        ("[^b].py", "b.py", False),
        ("[^b].py", "c.py", True),
        ("\\#x", "#x", True),
        ("\\!y", "!y", True),
        ("**/node_modules\n!**/keep.js", "a/b/node_modules/x.js", True),
        ("**/node_modules\n!**/keep.js", "a/b/node_modules/keep.js", False),
    ],
)
def test_dockerignore_follows_dockers_builder_where_its_python_client_differs(
    root: Path, ignore: str, path: str, excluded: bool
) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).touch()
    assert (path not in paths(root, ".", f"{ignore}\n")) is excluded


def test_a_missing_or_excluded_source_is_reported(root: Path) -> None:
    with pytest.raises(ContextError, match=r"no file of the build context .* matches 'c.py'"):
        Context(root).select("c.py")
    with pytest.raises(ContextError, match="excludes it"):
        Context(root, "a.py").select("a.py")


def test_links_out_of_the_context_are_refused_as_sources_and_kept_as_links_in_folders(root: Path) -> None:
    (root / "leak").symlink_to("../secret")
    (root / "data/leak").symlink_to("/etc/passwd")
    with pytest.raises(ContextError, match="leads out"):
        Context(root).select("leak")
    context = Context(root)
    assert "link /etc/passwd" not in context.digest(context.select("a.py"))
    assert "leak" in names(root, "data")
    (root / "data/leak").unlink()
    (root / "data/leak").symlink_to("/etc/shadow")
    assert context.digest(context.select("data")) != Context(root).digest([])


def test_a_folder_that_is_a_link_to_the_outside_is_not_walked(root: Path) -> None:
    (root / "up").symlink_to("..")
    for pattern in ("up", "up/secret", "up/*"):
        with pytest.raises(ContextError):
            Context(root).select(pattern)


PART = st.sampled_from(["..", ".", "a.py", "data", "*", "up", "", "deep", "secret", "[.][.]", "?", "\\..", "/", "\\"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.lists(PART, min_size=1, max_size=6).map("/".join), st.sampled_from(["", "*", "data\n!data/deep", "a*"]))
def test_no_pattern_leads_out_of_the_context(root: Path, pattern: str, ignore: str) -> None:
    if not (root / "up").is_symlink():
        (root / "up").symlink_to("..")
    try:
        sources = Context(root, ignore).select(pattern)
    except ContextError:
        return
    for source in sources:
        for entry in source.entries:
            folder = root if entry.path == "." else (root / entry.path).parent
            assert folder.resolve().is_relative_to(root.resolve())
            assert (root / entry.path).is_symlink() or (root / entry.path).resolve().is_relative_to(root.resolve())


def test_the_digest_changes_with_content_mode_and_name_only(root: Path) -> None:
    def digest() -> str:
        context = Context(root)
        return context.digest(context.select("data"))

    before = digest()
    (root / "data/x.csv").touch()
    assert digest() == before
    (root / "data/x.csv").chmod(0o755)
    changed = digest()
    assert changed != before
    (root / "data/x.csv").rename(root / "data/z.csv")
    assert digest() not in (before, changed)
