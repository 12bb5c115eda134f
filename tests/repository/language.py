"""Count constructions that plain technical English does without: ``python -m tests.repository.language [PATH ...]``.

Prose is docstrings, comments and messages in Python, comments in other files, and the text of Markdown and notebooks. Each
construction has a limit per 10,000 words, near the rate of starlette, httpx, structlog, kopf and dulwich. Without arguments
the check covers everything that git tracks, and fails above a limit, or when a commit subject of this branch is too long.
With paths it prints the matches, so that they can be rewritten.
"""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
GIT = ("git", "-c", f"safe.directory={ROOT}")
"""Git, for a clone that may be another user's, as in a container job."""

WORDS = 10_000
LONGEST_SUBJECT = 72
FOLDERS = ("src", "tests", "docs", "notebooks", "solutions", "containers", "pipelines", "sample-data")
FILES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile", "pyproject.toml", "labs.toml")


@dataclass(frozen=True)
class Construction:
    """``pattern`` may occur ``limit`` times in 10,000 words of prose; ``instead`` is what to write."""

    name: str
    pattern: str
    limit: float
    instead: str


CONSTRUCTIONS = (
    Construction(
        "what as a noun",
        r"(?<![.?!] )\bwhat(?:ever)?\b(?! (?:is|are|was|were|does|do|did|happens)\b[^.]*\?)",
        3,
        "name the thing: the files, the pod's status",
    ),
    Construction("tell, tells, told", r"\b(?:tell|tells|told)\b", 1, "show, report, say which, log, return"),
    Construction(
        "those that, who, of", r"\bthose (?:that|who|of|which|with|in|for)\b", 0.5, "the noun: pods that, requests for"
    ),
    Construction(
        "where for if",
        r"\bwhere (?:there (?:is|are)|it|none|they|that|nothing|this|one|no)\b",
        0.5,
        "if there is, when it is, without",
    ),
    Construction("of its own", r"\bof (?:its|their|one's|his|her) own\b", 0.5, "its own X, separate, private"),
    Construction(
        "whoever, nobody",
        r"\b(?:whoever|nobody|everybody|somebody|anybody)\b",
        0.5,
        "the caller, the client, any user, no client",
    ),
    Construction("mend", r"\bmend(?:s|ed|ing)?\b", 0, "fix, repair, the remedy"),
    Construction(
        "hold (a rule, a test)", r"\bholds? (?:for|of|true|good|that|this rule|the rule)\b", 0.5, "test, check, enforce"
    ),
    Construction(
        "archaic words",
        r"\b(?:anew|in vain|be it|for ever|at once|besides|thereby|wherein|upon|hence|whilst|ere|lest)\b",
        0.5,
        "again, immediately, also, through this, in which, on",
    ),
    Construction("lies, lay for is", r"\b(?:lies|lay|lie)\b (?!down)", 0.5, "is, are, was"),
)
NAMES = {"one", "found", "told", "wanted"}
"""Local names that do not say which value they hold."""
MOST_NAMES = 10
"""How many bindings of them src may have."""


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """The prose of a file, each piece with its line."""
    text = path.read_text()
    if path.suffix == ".py":
        yield from _python_prose(text)
    elif path.suffix == ".ipynb":
        for cell in json.loads(text)["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                yield 1, _without_code(source)
            else:
                yield from ((1, line.partition("#")[2]) for line in source.splitlines() if "# " in line)
    elif path.suffix == ".md":
        yield 1, _without_code(text)
    else:
        for number, line in enumerate(text.splitlines(), 1):
            if match := re.search(r"(?:^|\s)#+ (.*)", line):
                yield number, match[1]


def _python_prose(text: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# ")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value.split()) >= 4:
            yield node.lineno, _without_code(node.value)


def _without_code(text: str) -> str:
    return re.sub(r"```.*?```|``[^`]*``|`[^`]*`|\]\([^)]*\)", " ", text, flags=re.S)


def bindings(path: Path) -> Counter[str]:
    """The local names that a Python file binds, by how often."""
    names: Counter[str] = Counter()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names[node.id] += 1
        elif isinstance(node, ast.arg):
            names[node.arg] += 1
    return names


def tracked() -> list[Path]:
    listed = subprocess.run([*GIT, "ls-files", *FOLDERS, *FILES], cwd=ROOT, capture_output=True, text=True, check=True)
    kinds = {".py", ".md", ".ipynb", ".sh", ".toml", ".yaml", ".yml"}
    paths = [ROOT / name for name in listed.stdout.splitlines() if ROOT / name != Path(__file__)]  # the table above
    return [path for path in paths if path.is_file() and (path.suffix in kinds or path.name in ("Makefile", "Dockerfile"))]


def matches(path: Path) -> Iterator[tuple[Construction, int, str]]:
    for line, piece in prose(path):
        for construction in CONSTRUCTIONS:
            for match in re.finditer(construction.pattern, piece, re.I):
                start = max(match.start() - 50, 0)
                yield (
                    construction,
                    line + piece[: match.start()].count("\n"),
                    " ".join(piece[start : match.end() + 40].split()),
                )


def count_words(paths: list[Path]) -> int:
    return sum(len(re.findall(r"[A-Za-z']{2,}", piece)) for path in paths for _, piece in prose(path))


def long_subjects() -> list[str]:
    """The commit subjects since the branch left main, or of main since its remote's, that are too long."""
    base = subprocess.run([*GIT, "rev-parse", "-q", "--verify", "origin/main"], cwd=ROOT, capture_output=True, text=True)
    if base.returncode:
        return []
    log = subprocess.run([*GIT, "log", "--format=%s", "origin/main..HEAD"], cwd=ROOT, capture_output=True, text=True)
    return [subject for subject in log.stdout.splitlines() if len(subject) > LONGEST_SUBJECT]


def report(paths: list[Path]) -> list[str]:
    """Print the rate of each construction; returns a complaint for each that is above its limit."""
    words = count_words(paths) or 1
    counts = Counter(construction.name for path in paths for construction, _, _ in matches(path))
    conditions = sum(len(re.findall(r"\b(?:if|when)\b", piece, re.I)) for path in paths for _, piece in prose(path))
    complaints = []
    print(f"{words} words of prose\n{'construction':24} {'count':>6} {'per 10,000':>11} {'limit':>6}  write instead")
    for construction in CONSTRUCTIONS:
        rate = counts[construction.name] * WORDS / words
        count, limit = counts[construction.name], construction.limit
        print(f"{construction.name:24} {count:6} {rate:11.1f} {limit:6}  {construction.instead}")
        if rate > limit:
            complaints.append(f"{construction.name}: {rate:.1f} per 10,000 words, limit {limit}")
    print(f"{'if, when':24} {conditions:6} {conditions * WORDS / words:11.1f}         use them: they state conditions")
    sources = [path for path in paths if path.suffix == ".py" and path.is_relative_to(ROOT / "src")]
    names = sum((bindings(path) for path in sources), Counter[str]())
    print("most common local names in src:", ", ".join(f"{name} {count}" for name, count in names.most_common(12)))
    vague = {name: names[name] for name in sorted(NAMES)}
    print("vague names in src:", ", ".join(f"{name} {count}" for name, count in vague.items()))
    if sum(vague.values()) > MOST_NAMES:
        complaints.append(f"vague local names in src: {sum(vague.values())}, limit {MOST_NAMES}")
    complaints += [f"commit subject longer than {LONGEST_SUBJECT} characters: {subject}" for subject in long_subjects()]
    return complaints


def main(arguments: list[str]) -> None:
    if not arguments:
        complaints = report(tracked())
        sys.exit("\n".join(complaints) or None)
    folders = [Path(name).resolve() for name in arguments]
    paths = [path for path in tracked() if any(path.is_relative_to(folder) for folder in folders)]
    for path in paths:
        for construction, line, excerpt in matches(path):
            print(f"{path.relative_to(ROOT)}:{line}: {construction.name}: ...{excerpt}")
        vague = {name: count for name, count in bindings(path).items() if name in NAMES} if path.suffix == ".py" else {}
        if vague:
            print(f"{path.relative_to(ROOT)}: vague local names: {vague}")
    report(paths)


if __name__ == "__main__":
    main(sys.argv[1:])
