"""What dbt's ``manifest.json`` says of a project's nodes: their tables, parents and tests. Read as plain JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator


class _Config(msgspec.Struct, frozen=True):
    severity: str | None = None
    materialized: str | None = None


class _DependsOn(msgspec.Struct, frozen=True):
    nodes: list[str] = []


class _TestMetadata(msgspec.Struct, frozen=True):
    name: str = ""


class ManifestNode(msgspec.Struct, frozen=True):
    """A node or source of a project."""

    name: str = ""
    schema: str | None = None
    #: Name of the table; sources have ``identifier`` instead.
    alias: str | None = None
    identifier: str | None = None
    package_name: str = ""
    original_file_path: str = ""
    path: str = ""
    config: _Config = _Config()
    depends_on: _DependsOn = _DependsOn()
    #: Of a generic test: the node it was declared on, its column and its sort.
    attached_node: str | None = None
    column_name: str | None = None
    test_metadata: _TestMetadata | None = None

    @property
    def asset(self) -> str:
        """The table, as ``schema.table``."""
        table = self.alias or self.identifier or self.name
        return f"{self.schema}.{table}" if self.schema else table

    @property
    def compiled_paths(self) -> tuple[str, ...]:
        """Where the compiled SQL may be, below the target folder; a test of a YAML file is in a folder of the file's name."""
        folder = f"compiled/{self.package_name}/{self.original_file_path}"
        return (folder, f"{folder}/{self.path}")


class Manifest(msgspec.Struct, frozen=True):
    """The nodes of a project and how they hang together."""

    nodes: dict[str, ManifestNode] = {}
    sources: dict[str, ManifestNode] = {}
    #: For each node, the nodes and sources that it reads or tests.
    parent_map: dict[str, list[str]] = {}

    def find(self, unique_id: str | None) -> ManifestNode | None:
        """Return a node or source, or None."""
        if unique_id is None:
            return None
        return self.nodes.get(unique_id) or self.sources.get(unique_id)

    def parents(self, unique_id: str) -> Iterator[str]:
        """Return what a node reads; an ephemeral model is no table, so that its parents stand for it."""
        for parent in self.parent_map.get(unique_id, ()):
            node = self.nodes.get(parent)
            if node is not None and node.config.materialized == "ephemeral":
                yield from self.parents(parent)
            else:
                yield parent

    def tested(self, test_id: str) -> str | None:
        """Return the node or source that a test is about: where it was declared, else the first model it reads."""
        test = self.nodes.get(test_id)
        if test is None:
            return None
        if test.attached_node:
            return test.attached_node
        read = test.depends_on.nodes
        models = [unique_id for unique_id in read if unique_id.startswith("model.")]
        return next(iter([*models, *read]), None)

    def causes(
        self, unique_id: str, failed: Collection[str], skipped: Container[str]
    ) -> list[str]:
        """Return the failed nodes because of which a node was skipped.

        That is a parent, a test of a parent, or a unit test of the node itself, whether at once or by way of other skipped nodes.

        Args:
            unique_id: The skipped node.
            failed: Nodes that failed.
            skipped: Nodes that were skipped.
        """
        tests = [node for node in failed if node.startswith(("test.", "unit_test."))]
        found: dict[str, None] = {}
        waiting, seen = [unique_id], {unique_id}
        while waiting:
            node = waiting.pop()
            found.update(dict.fromkeys(self._tests_of(node, tests, "unit_test.")))
            for parent in self.parents(node):
                if parent in seen:
                    continue
                seen.add(parent)
                if parent in failed:
                    found[parent] = None
                elif parent in skipped:
                    waiting.append(parent)
                else:
                    found.update(dict.fromkeys(self._tests_of(parent, tests, "test.")))
        return list(found)

    def _tests_of(self, node: str, tests: Iterable[str], kind: str) -> list[str]:
        return [
            test
            for test in tests
            if test.startswith(kind) and node in self.parent_map.get(test, ())
        ]


_decoder = msgspec.json.Decoder(Manifest)


def parse_manifest(content: bytes) -> Manifest:
    """Return what a ``manifest.json`` says.

    Raises:
        msgspec.MsgspecError: It is no manifest of a known shape.
    """
    return _decoder.decode(content)
