"""Blocks: what they keep, how they are found, and what is never shown."""

from __future__ import annotations

import asyncio
import logging
import pickle
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel, Field, SecretBytes, SecretStr, ValidationError

from caudal import flow, get_client, get_run_logger, task
from caudal.blocks import Block
from caudal.blocks.encryption import KEY_FILE
from caudal.blocks.fields import SecretDict
from caudal.blocks.registry import _classes
from caudal.blocks.system import Secret
from caudal.engine.masking import masked
from caudal.exceptions import (
    BlockNotFound,
    BlockNotLoadableError,
    EncryptionKeyError,
    InvalidNameError,
    ObjectAlreadyExists,
    RemoteError,
    SecretNotReadableError,
    UnknownBlockType,
)
from caudal.settings import temporary_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")

PASSWORD = "correct-horse'battery\"staple/ü"  # noqa: S105 - what must not leak


class Login(BaseModel):
    """A part of a block that is none itself."""

    user: str = "ada"
    password: SecretStr


class Warehouse(Block):
    """Where tables are.

    More about it.
    """

    host: str
    port: int = 5432
    logins: list[Login] = Field(default_factory=list[Login])
    token: SecretBytes | None = None
    schema_: str = Field("public", alias="schema")


class Report(Block):
    """A block that holds blocks."""

    _block_type_name = "Sales Report"
    _logo_url = "https://a.example/logo.png"

    warehouse: Warehouse
    any_block: Block | None = None


def stored() -> str:
    """Return everything that the ledger holds of blocks, as text."""
    client = get_client()
    client.read_flow_runs()
    ledger = client._engine.ledger
    return repr((ledger.events(limit=10_000), ledger.documents.latest("block"), ledger.logs()))  # fmt: skip


def warehouse(**given: Any) -> Warehouse:
    """Return a block with secrets at several depths."""
    return Warehouse(
        host="db", logins=[Login(password=SecretStr(PASSWORD))], token=SecretBytes(b"\xff\x00key"), **given
    )  # fmt: skip


def test_a_block_comes_back_as_it_was_saved() -> None:
    """Values, nested models, aliases and secrets of all kinds are as they were."""
    made = warehouse(schema="sales")
    block_id = made.save("main")

    loaded = Warehouse.load("main")

    assert loaded == made
    assert loaded.logins[0].password.get_secret_value() == PASSWORD
    assert loaded.schema_ == "sales"
    found = Block.load("warehouse/main")
    assert isinstance(found, Warehouse)
    assert (found, found._block_document_id) == (loaded, block_id)
    assert Block.load_from_ref(block_id) == Block.load_from_ref(str(block_id)) == loaded
    assert Warehouse.load_from_ref({"block_document_id": block_id}) == loaded


def test_a_block_is_replaced_only_when_asked() -> None:
    """A loaded block is saved again under its own name."""
    warehouse().save("main")
    with pytest.raises(ObjectAlreadyExists, match="overwrite=True"):
        warehouse().save("main")

    loaded = Warehouse.load("main")
    loaded.port = 1
    loaded.save(overwrite=True)

    assert Warehouse.load("main").port == 1


@pytest.mark.parametrize("name", ["", "Main", "a_b", "a/b"])
def test_names_are_plain(name: str) -> None:
    """Block names are made of lower-case letters, numbers and dashes, as Prefect's."""
    with pytest.raises(InvalidNameError):
        warehouse().save(name)


def test_what_is_not_there_is_an_error() -> None:
    """It is a ValueError too, as code written for Prefect expects."""
    with pytest.raises(BlockNotFound, match="no block 'warehouse/main'"):
        Warehouse.load("main")
    with pytest.raises(ValueError, match="caudal block ls"):
        Block.delete("warehouse/main")
    with pytest.raises(BlockNotFound):
        Block.load_from_ref(uuid4())
    with pytest.raises(InvalidNameError, match="secret/api-key"):
        Block.load("main")
    with pytest.raises(TypeError, match="subclass"):
        Block().save("main")


def test_a_deleted_block_is_gone() -> None:
    """Only that of the type and name goes."""
    warehouse().save("main")
    Secret(value="x").save("main")

    Warehouse.delete("main")

    with pytest.raises(BlockNotFound):
        Warehouse.load("main")
    assert Secret.load("main").get() == "x"


def test_types_have_names() -> None:
    """Slug, name and description come from the class unless it says otherwise."""
    assert Report.get_block_type_slug() == "sales-report"
    assert Report.get_block_type_name() == "Sales Report"
    assert Warehouse.get_block_type_slug() == "warehouse"
    assert Warehouse.get_description() == "Where tables are."
    assert Block.is_block_class(Report)
    assert not Block.is_block_class(Login)
    Report.register_type_and_schema()


def test_blocks_hold_blocks() -> None:
    """One that was saved is kept as a reference, another inside; a field of the base class takes any."""
    inner = warehouse()
    inner.save("main")
    Report(warehouse=inner, any_block=Secret(value=PASSWORD)).save("report")
    inner.port = 1
    inner.save(overwrite=True)

    loaded = Report.load("report")

    assert loaded.warehouse.port == 1
    assert isinstance(loaded.any_block, Secret)
    assert loaded.any_block.get() == PASSWORD
    assert PASSWORD not in stored()


def test_a_block_that_lost_one_within_it_says_which() -> None:
    """The field is named; without validation it is None."""
    inner = warehouse()
    inner.save("main")
    Report(warehouse=inner, any_block=Secret(value=PASSWORD)).save("report")
    Warehouse.delete("main")
    with pytest.raises(BlockNotLoadableError, match=r"warehouse: .*no block"):
        Report.load("report")
    assert Report.load("report", validate=False).warehouse is None


def test_a_block_is_saved_under_a_name() -> None:
    """The message says that it needs one."""
    with pytest.raises(InvalidNameError, match="a block needs a name"):
        Secret(value="x").save()


def test_a_type_that_is_not_imported_is_said_to_be() -> None:
    """The message says where the class was."""
    warehouse().save("main")
    cls = _classes.pop("warehouse")
    try:
        with pytest.raises(UnknownBlockType, match=r"test_blocks\.Warehouse"):
            Block.load("warehouse/main")
    finally:
        _classes["warehouse"] = cls


def test_values_that_no_longer_fit_are_named_without_their_secrets() -> None:
    """A class that changed says which field is wrong; without validation the block can be mended."""

    class Key(Block):
        value: SecretStr

    Key(value=SecretStr(PASSWORD)).save("main")

    class Longer(Block):
        _block_type_slug = "key"
        value: SecretStr = Field(min_length=500)
        extra: int

    with pytest.raises(BlockNotLoadableError) as caught:
        Longer.load("main")
    assert len(caught.value.problems) == 2
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None
    assert Longer.load("main", validate=False).value == PASSWORD


def test_a_wrong_value_is_refused_without_being_shown() -> None:
    """The message of pydantic leaves the input out."""
    with pytest.raises(ValidationError) as caught:
        Warehouse(host="db", logins=[{"password": [PASSWORD]}])  # type: ignore[list-item]
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (PASSWORD, PASSWORD),
        ({"user": "ada", "n": [1]}, {"user": "ada", "n": [1]}),
        ('{"a": 1}', {"a": 1}),
        (12, 12),
        (SecretStr("s"), "s"),
    ],
)
def test_a_secret_holds_text_or_json(value: Any, got: Any) -> None:
    """``get`` reads text that is JSON, as in Prefect."""
    Secret(value=value).save("key")

    assert Secret.load("key").get() == got
    assert Secret[Any](value=value).get_block_type_slug() == "secret"
    Secret[Any](value=value).save("typed")
    assert Block.load("secret/typed").get() == got  # type: ignore[attr-defined]


def test_secrets_are_encrypted_and_masked(record: Record, home: Path) -> None:
    """Neither the ledger, nor what is printed or read by a client, shows a secret."""
    block = warehouse()
    block.save("main")
    for shown in (repr(block), str(block), block.model_dump_json(), repr(block.model_dump())):  # fmt: skip
        assert PASSWORD not in shown
    files = [file.read_bytes() for file in home.rglob("*") if file.is_file()]
    for form in (PASSWORD.encode(), PASSWORD[:20].encode()):
        assert not any(form in content for content in files)
    (document,) = record.client.read_block_documents()
    assert document.data["logins"] == [{"user": "ada", "password": "********"}]
    assert PASSWORD not in stored()


def test_a_loaded_secret_never_reaches_log_or_record(
    record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    """Log lines, prints, structured fields and exceptions have a mask in its place, in every form it takes."""
    Secret(value=PASSWORD).save("key")

    @task
    def leak(key: Secret[str]) -> None:
        secret = key.get()
        logger = get_run_logger()
        logger.info("key %s %r", secret, secret, extra={"key": {"a": [secret]}})
        print(secret)  # noqa: T201
        raise ValueError(f"bad key {secret}")

    @flow(log_prints=True)
    def nightly() -> None:
        leak(Secret.load("key"))

    with pytest.raises(ValueError, match="bad key"):
        nightly()

    kept = stored() + repr(record.logs()) + repr(record.tasks())
    assert "correct-horse" not in kept
    assert "bad key ********" in kept
    assert "correct-horse" not in capsys.readouterr().err
    row = record.client.read_logs(task_run_id=record.task("leak").id)[0][1]
    assert row.message.startswith("key ******** ")
    assert row.extra == {"key": {"a": ["********"]}}


def test_an_exception_with_a_secret_is_not_stored_where_others_are(
    record: Record, home: Path
) -> None:
    """Of a flow that keeps its results, too, no file has the secret; the exception is told as text."""
    Secret(value=PASSWORD).save("key")

    @flow(persist_result=True)
    def careless(*, tells: bool) -> None:
        key = Secret.load("key").get()
        raise ValueError("bad key " + (key if tells else "of mine"))

    with pytest.raises(ValueError, match="bad key"):
        careless(tells=True)
    with pytest.raises(RemoteError, match=r"ValueError: bad key \*{8}"):
        record.flow().state.result()
    files = [file for file in home.rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if b"correct-horse" in file.read_bytes()]
    careless(tells=False, return_state=True)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="bad key of mine"):
        record.flow().state.result()


def test_a_block_stays_secret_where_it_travels(record: Record) -> None:
    """A block that was pickled, as for another process, is known to be secret there."""
    text = "travelled-secret-value"
    body = pickle.dumps(Secret(value=text))
    travelled = pickle.loads(body)  # noqa: S301 - our own

    assert travelled.get() == text
    assert masked(f"x {text}") == "x ********"
    assert record.client.read_block_documents() == []


def test_the_key_is_a_file_for_its_owner_alone(home: Path) -> None:
    """It is made with the first secret, with mode 0600, and one that others may read is refused."""
    file = home / KEY_FILE
    Secret(value="x").save("a")
    assert file.stat().st_mode & 0o777 == 0o600
    key = file.read_bytes()
    Secret(value="y").save("b")
    assert file.read_bytes() == key
    assert [path.name for path in home.glob("encryption*")] == [KEY_FILE]

    file.chmod(0o644)
    with pytest.raises(EncryptionKeyError, match="chmod 600"):
        Secret.load("a")


def test_a_lost_or_wrong_key_is_said_to_be(home: Path) -> None:
    """The message says what to restore; a key that is none is not shown."""
    Secret(value="x").save("a")
    file = home / KEY_FILE
    good = file.read_bytes()
    file.unlink()
    with pytest.raises(EncryptionKeyError, match="not there"):
        Secret.load("a")
    Secret(value="y").save("b")
    with pytest.raises(SecretNotReadableError, match="another key"):
        Secret.load("a")
    file.write_bytes(b"no key")
    with pytest.raises(EncryptionKeyError, match="32 bytes") as caught:
        Secret.load("a")
    assert "no key'" not in str(caught.value)
    file.write_bytes(good)
    assert Secret.load("a").get() == "x"


def test_the_key_can_come_from_the_environment(home: Path) -> None:
    """Then no file is made, and the key is masked where settings are shown."""
    key = "x3dVJ1mBMeZ7fP0Wn3cGvFm2Fq8yq4eVZ4m1wK3H4bA="
    with temporary_settings({"encryption_key": key}) as settings:
        Secret(value="x").save("a")
        assert Secret.load("a").get() == "x"
        shown = str(getattr(settings, "encryption_key", "********"))
        assert shown == "********"
    assert not (home / KEY_FILE).exists()
    with pytest.raises(EncryptionKeyError):
        Secret.load("a")


def test_blocks_without_secrets_need_no_key(home: Path) -> None:
    """Neither is a key made, nor cryptography imported."""

    class Plain(Block):
        number: int

    Plain(number=3).save("main")
    assert Plain.load("main").number == 3
    assert not (home / KEY_FILE).exists()


def test_twins_are_awaited() -> None:
    """The names with an ``a`` return awaitables, the others do where the caller can await."""

    async def use() -> list[Any]:
        block = warehouse()
        first = await block.asave("main")
        second = await block.save("main", overwrite=True)  # type: ignore[misc]
        loaded = [await Warehouse.aload("main"), await Warehouse.load("main")]  # type: ignore[misc]
        by_id = await Block.aload_from_ref(first)
        await Warehouse.adelete("main")
        return [first == second, *loaded, by_id]

    same, *loaded = asyncio.run(use())
    assert same is True
    assert [block.model_dump() for block in loaded] == [warehouse().model_dump()] * 3


def test_initialization_is_called_once_the_fields_are_set() -> None:
    """It may derive what is not kept."""

    class Derived(Block):
        number: int
        _double: int = 0

        def block_initialization(self) -> None:
            self._double = 2 * self.number

    Derived(number=4).save("main")
    assert Derived.load("main")._double == 8


def test_a_client_reads_documents(record: Record) -> None:
    """By id, by name, in lists and by type; secrets are masked, and the class is not needed."""
    block_id = warehouse().save("main")
    Secret(value="x").save("key")
    client = record.client

    document = client.read_block_document(block_id)
    assert client.read_block_document_by_name("main", "warehouse") == document
    assert (document.name, document.block_type_slug) == ("main", "warehouse")
    assert isinstance(document.id, UUID)
    assert document.data["host"] == "db"
    assert [each.name for each in client.read_block_documents()] == ["key", "main"]
    assert [each.name for each in client.read_block_documents("secret")] == ["key"]
    assert client.read_block_types() == {"secret": 1, "warehouse": 1}
    client.delete_block_document(block_id)
    for call in (client.read_block_document, client.delete_block_document):
        with pytest.raises(BlockNotFound):
            call(block_id)
    with pytest.raises(BlockNotFound):
        client.read_block_document_by_name("main", "warehouse")


def test_log_lines_are_as_they_were_without_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Short texts are no secrets to look for: they are parts of ordinary words."""
    Secret(value="an").save("short")

    @flow
    def nightly() -> None:
        Secret.load("short")
        with caplog.at_level(logging.INFO, "caudal"):
            get_run_logger().info("banana")

    nightly()
    assert [row.message for _, row in get_client().read_logs()][1:2] == ["banana"]


def test_a_whole_dictionary_can_be_secret() -> None:
    """It is masked where it is shown, and comes back as it was."""

    class Vault(Block):
        entries: SecretDict

    Vault(entries=SecretDict({"key": PASSWORD})).save("main")

    loaded = Vault.load("main")
    assert loaded.entries.get_secret_value() == {"key": PASSWORD}
    assert PASSWORD not in repr(loaded)
