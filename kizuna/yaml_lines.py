"""A company's YAML file with the line of everything in it, so that an error can point at the place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kizuna.errors import InputError


@dataclass(frozen=True, slots=True)
class Place:
    """A value of the file, where it stands, and what lies below it."""

    path: Path
    key: str
    line: int
    value: Any
    node: yaml.Node

    def wrong(self, what: str) -> InputError:
        """The error that names file, line, key, what is wrong and what to do."""
        key = f" {self.key}:" if self.key else ""
        return InputError(f"{self.path}:{self.line}:{key} {what}")

    def table(self, allowed: tuple[str, ...] | None = None) -> dict[str, Place]:
        """The entries of a mapping by key. `allowed`: the keys there may be."""
        if not isinstance(self.node, yaml.MappingNode):
            expected = f"the keys {', '.join(allowed)}" if allowed else "names with a value each"
            raise self.wrong(f"{self.value!r} is not allowed here; expected {expected}.")
        found: dict[str, Place] = {}
        for key_node, node in self.node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in found:
                raise InputError(f"{self.path}:{line}: {key} stands there twice; remove one.")
            if allowed is not None and key not in allowed:
                raise InputError(
                    f"{self.path}:{line}: {key!r} is an unknown key; allowed here: {', '.join(sorted(allowed))}."
                )
            name = f"{self.key}.{key}" if self.key else key
            found[key] = Place(self.path, name, line, _value(node), node)
        return found

    def items(self, what: str) -> list[Place]:
        """The entries of a list; `what` names one of them for the error."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.wrong(f"{self.value!r} is not a list; write one {what} per line, each after `- `.")
        return [Place(self.path, self.key, n.start_mark.line + 1, _value(n), n) for n in self.node.value]


def read_yaml(path: Path) -> Place | None:
    """The whole file; None where it does not exist or says nothing. Raises `InputError` where it is not YAML."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, yaml.SafeLoader)
        return None if node is None else Place(path, "", node.start_mark.line + 1, _value(node), node)
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise InputError(f"{where}: not valid YAML ({getattr(error, 'problem', error)}).") from None
    except ValueError as error:
        raise InputError(f"{path}: not valid YAML ({error}).") from None


def _value(node: yaml.Node) -> Any:
    """The plain value of a node, as `yaml.safe_load` gives it."""
    return yaml.SafeLoader("").construct_document(node)
