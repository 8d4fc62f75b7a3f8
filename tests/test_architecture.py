"""Who may import whom (DESIGN: upper may import lower; siblings on the rim never import each other), and what must not
be imported where."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS: tuple[tuple[str, ...], ...] = (
    ("otd.model", "otd.errors", "otd.quoting"),
    ("otd.ports", "otd.metrics", "otd.outbound", "otd.tunnel", "otd.reach", "otd.inbound", "otd.certificates"),
    (
        "otd.formats",
        "otd.invites",
        "otd.dialplan",
        "otd.bookings",
        "otd.deliveries",
        "otd.readings",
        "otd.brake",
        "otd.placing",
        "otd.pacing",
        "otd.findings",
        "otd.explaining",
        "otd.comparing",
        "otd.causes",
        "otd.alerts",
        "otd.wire",
        "otd.pairing",
        "otd.exchange_lines",
        "otd.exchange_setup",
        "otd.lint",
    ),
    (
        "otd.pipeline",
        "otd.refresh",
        "otd.subscribing",
        "otd.judging",
        "otd.past",
        "otd.guard",
        "otd.asking",
        "otd.probing",
        "otd.replay",
        "otd.explain",
    ),
    (
        "otd.calendars",
        "otd.endpoints",
        "otd.store",
        "otd.bus",
        "otd.relay",
        "otd.alerting",
        "otd.executor",
        "otd.serve",
    ),
    (
        "otd.settings",
        "otd.watching",
        "otd.wiring",
        "otd.serving",
        "otd.provisioning",
        "otd.site",
        "otd.guarding",
        "otd.measuring",
    ),
    ("otd.cli", "otd.lab", "workers"),
)
RIM = LAYERS[4]
PURE = LAYERS[2]
IMPURE = {"time", "random", "os", "socket", "subprocess", "threading", "logging", "structlog", "httpx", "requests"}
STANDARD_ONLY = ("otd.model", "otd.errors", "otd.quoting")


def modules() -> Iterator[tuple[str, Path]]:
    for folder in ("otd", "workers"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(module, whether it is imported when the file is) of every import in a file."""
    tree = ast.parse(path.read_text())
    top = {id(node) for statement in tree.body for node in ast.walk(statement) if not _is_function(statement)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((f"{node.module}.{alias.name}", id(node) in top) for alias in node.names)


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def home(module: str) -> tuple[int, str] | None:
    """The layer of a module of ours and the entry in the table that it belongs to; None for a foreign one."""
    for level, names in enumerate(LAYERS):
        for name in names:
            if module == name or module.startswith(name + "."):
                return level, name
    return None


def test_every_module_has_its_place_in_the_table() -> None:
    without = [name for name, _ in modules() if home(name) is None and name not in ("otd", "otd.__main__")]
    assert without == []


def test_upper_layers_import_lower_ones_and_never_the_other_way() -> None:
    wrong = []
    for name, path in modules():
        here = home(name)
        if here is None:
            continue
        for target, _ in imports(path):
            there = home(target)
            if there is None or there[1] == here[1]:
                continue
            if there[0] > here[0] or (there[0] == here[0] and here[1] in RIM):
                wrong.append(f"{name} imports {target}")
    assert wrong == []


def test_only_workers_imports_celery() -> None:
    users = {n.partition(".")[0] for n, p in modules() for t, _ in imports(p) if t.partition(".")[0] == "celery"}
    assert users <= {"workers"}


def test_the_pure_layer_has_no_clock_no_chance_no_environment_and_no_io() -> None:
    wrong = []
    for name, path in modules():
        here = home(name)
        if here is not None and here[1] in PURE:
            wrong += [f"{name} imports {t}" for t, _ in imports(path) if t.partition(".")[0] in IMPURE]
    assert wrong == []


def test_the_words_need_the_standard_library_only() -> None:
    foreign = [
        f"{name} imports {target}"
        for name, path in modules()
        if name in STANDARD_ONLY
        for target, _ in imports(path)
        if target.partition(".")[0] not in sys.stdlib_module_names | {"otd"}
    ]
    assert foreign == []


@pytest.mark.parametrize("heavy", ["exchangelib", "celery", "sqlalchemy", "httpx", "rich", "icalendar", "starlette"])
def test_the_command_line_starts_without_what_it_does_not_need(heavy: str) -> None:
    code = f"import sys, otd.cli; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
