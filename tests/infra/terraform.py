"""Terraform files as Python sees them: parsed, and checked against a provider's schema without the provider."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import hcl2

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
SCHEMA = json.loads((Path(__file__).parent / "azurerm_schema.json").read_text())

MINIMUM = (1, 9)
"""Terraform's version from which a validation may look at other variables."""

SUBSCRIPTION = "00000000-1111-2222-3333-444444444444"

_META = {"count", "for_each", "depends_on", "lifecycle", "provider", "provisioner", "dynamic"}
_ATTRIBUTE = re.compile(r"\b(data\.)?(azurerm_\w+)\.(\w+)(?:\[[^\]]*\])?\.(\w+)")
_ANY = re.compile(r"\b(var|local)\.(\w+)|\b((?:data\.)?azurerm_\w+)\.(\w+)")


@dataclass(frozen=True)
class Block:
    """A resource or data source: `kind` is its type, with `data.` before that of a data source."""

    file: str
    kind: str
    name: str
    body: dict[str, Any]

    @property
    def where(self) -> str:
        return f"{self.file}: {self.kind}.{self.name}"


@dataclass(frozen=True)
class Module:
    """A folder of Terraform files.

    Attributes:
        texts: The files' texts by name, without comments.
    """

    texts: dict[str, str]
    blocks: tuple[Block, ...]
    variables: dict[str, dict[str, Any]]
    locals: dict[str, Any]
    outputs: dict[str, dict[str, Any]]

    def all(self, kind: str) -> list[Block]:
        """Return the blocks of a type."""
        return [block for block in self.blocks if block.kind == kind]

    def one(self, kind: str, name: str) -> dict[str, Any]:
        """Return the body of a block."""
        return next(block.body for block in self.all(kind) if block.name == name)


@lru_cache(maxsize=1)
def infra() -> Module:
    """Return the project's own module."""
    return read({file.name: file.read_text() for file in sorted(INFRA.glob("*.tf"))})


def read(files: dict[str, str]) -> Module:
    """Parse a module from its files' texts."""
    documents = {name: _plain(hcl2.loads(text)) for name, text in files.items()}
    blocks = [
        Block(name, f"{prefix}{kind}", label, body)
        for name, document in documents.items()
        for section, prefix in (("resource", ""), ("data", "data."))
        for entry in document.get(section, [])
        for kind, labelled in entry.items()
        for label, body in labelled.items()
    ]
    texts = {name: re.sub(r"^\s*(#|//).*$", "", text, flags=re.MULTILINE) for name, text in files.items()}
    return Module(
        texts,
        tuple(blocks),
        _labelled(documents, "variable"),
        {
            key: value
            for document in documents.values()
            for part in document.get("locals", [])
            for key, value in part.items()
        },
        _labelled(documents, "output"),
    )


def _labelled(documents: dict[str, Any], section: str) -> dict[str, dict[str, Any]]:
    return {
        label: body
        for document in documents.values()
        for entry in document.get(section, [])
        for label, body in entry.items()
    }


def _plain(value: Any) -> Any:
    """Take the parser's marks and its quotes away; blocks stay lists of dicts."""
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str) and len(value) >= 2 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value


def problems(module: Module) -> list[str]:
    """Return every argument, block and reference that the schema or the module does not know."""
    return [*_arguments(module), *_references(module)]


def _arguments(module: Module) -> Iterator[str]:
    for block in module.blocks:
        if block.kind not in SCHEMA:
            yield f"{block.where}: no schema for it in tests/infra/azurerm_schema.json"
            continue
        yield from _body(block.where, block.body, SCHEMA[block.kind]["arguments"])


def _body(where: str, body: dict[str, Any], known: dict[str, Any]) -> Iterator[str]:
    dynamic = {name: content for entry in body.get("dynamic", []) for name, content in entry.items()}
    for key, value in body.items():
        if key in _META:
            continue
        if key not in known:
            yield f"{where}: unsupported argument or block '{key}'"
            continue
        nested, is_block = known[key].get("block"), _is_block(value)
        if (nested is not None) != is_block:
            wanted = "an attribute, not a block" if is_block else "a block, not an attribute"
            yield f"{where}.{key}: must be {wanted}"
        elif nested is not None:
            for part in value:
                yield from _body(f"{where}.{key}", part, nested)
    for name, content in dynamic.items():
        nested = known.get(name, {}).get("block")
        if nested is None:
            yield f"{where}: unsupported dynamic block '{name}'"
            continue
        for part in content["content"]:
            yield from _body(f"{where}.{name}", part, nested)
    for key, rule in known.items():
        if rule.get("required") and key not in body and key not in dynamic:
            yield f"{where}: missing required '{key}'"


def _is_block(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _references(module: Module) -> Iterator[str]:
    declared = {f"{block.kind}.{block.name}" for block in module.blocks}
    for file, text in module.texts.items():
        for store, name, kind, label in _ANY.findall(text):
            if store == "var" and name not in module.variables:
                yield f"{file}: reference to undeclared var.{name}"
            if store == "local" and name not in module.locals:
                yield f"{file}: reference to undeclared local.{name}"
            if kind and f"{kind}.{label}" not in declared:
                yield f"{file}: reference to undeclared {kind}.{label}"
        for data, kind, label, attribute in _ATTRIBUTE.findall(text):
            rules = SCHEMA.get(data + kind)
            if rules and attribute not in {*rules["attributes"], *rules["arguments"], "id"}:
                yield f"{file}: {data}{kind}.{label} has no attribute '{attribute}'"
    everything = "\n".join(module.texts.values())
    for name in module.variables:
        if not re.search(rf"\bvar\.{name}\b", everything.split(f'variable "{name}"')[0] + _after(everything, name)):
            yield f"variable {name} is used nowhere"


def _after(everything: str, variable: str) -> str:
    """Return what follows a variable's own block: its validations do not count as use."""
    rest = everything.split(f'variable "{variable}"', 1)[1]
    return rest.split("\n}\n", 1)[-1]


@lru_cache(maxsize=1)
def terraform() -> str | None:
    """Return the terraform binary, if there is one that can read the module."""
    found = shutil.which("terraform")
    if not found:
        return None
    told = subprocess.run([found, "version", "-json"], capture_output=True, text=True, timeout=60).stdout
    version = json.loads(told)["terraform_version"].split(".")
    return found if (int(version[0]), int(version[1])) >= MINIMUM else None


def evaluate(folder: Path, values: dict[str, Any], output: str, *, var_file: Path | None = None) -> Any:
    """Let the terraform binary evaluate an expression over the module's variables and locals; no provider is needed.

    Resources are left out, and their attributes stand as text: `azurerm_storage_account.lake.name`.

    Raises:
        Refused: a validation fails, or an expression cannot be evaluated.
    """
    for name, text in {file.name: file.read_text() for file in INFRA.glob("*.tf")}.items():
        if name in ("versions.tf", "outputs.tf"):
            continue
        bare = re.sub(r"^(resource|data) [^\n]*(\{\}|\{\n.*?^\})\n", "", text, flags=re.MULTILINE | re.DOTALL)
        bare = re.sub(r"\b((?:data\.)?azurerm_\w+\.\w+(?:\[[^\]]*\])?(?:\.\w+)+)", _as_text, bare)
        (folder / name).write_text(bare)
    (folder / "output.tf").write_text(f'output "found" {{\n  value = {output}\n}}\n')
    (folder / "test.auto.tfvars.json").write_text(json.dumps({"subscription_id": SUBSCRIPTION} | values))
    extra = [f"-var-file={var_file}"] if var_file else []
    _terraform(folder, "apply", "-auto-approve", "-input=false", "-no-color", *extra)
    return json.loads(_terraform(folder, "output", "-json", "found"))


class Refused(Exception):
    """Terraform refused the values."""


def _as_text(match: re.Match[str]) -> str:
    return json.dumps(match[1].replace('"', "'"))


def _terraform(folder: Path, *arguments: str) -> str:
    done = subprocess.run([terraform(), *arguments], cwd=folder, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout
