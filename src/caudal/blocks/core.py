"""Blocks: named, typed configuration in the ledger, with encrypted secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    PrivateAttr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    model_validator,
)

from caudal.blocks.encoding import decode, encode_fields, secrets_of
from caudal.blocks.registry import block_class, register
from caudal.engine.documents import checked_name, created, discard, keep, maker
from caudal.engine.masking import hide
from caudal.exceptions import (
    BlockNotFound,
    BlockNotLoadableError,
    InvalidNameError,
)
from caudal.ledger.documents import DocumentFilter
from caudal.model.masking import REFERENCE
from caudal.twins import dispatched, in_thread

if TYPE_CHECKING:
    from caudal.model.documents import Document

__all__ = ["Block"]

_ID, _SLUG = "block_document_id", "block_type_slug"


class Block(BaseModel):
    """A named set of values with types; subclass it, and its fields are kept under a name.

    Fields of the types ``SecretStr``, ``SecretBytes`` and ``Secret`` of pydantic are encrypted in the ledger and masked wherever they are
    shown. A field that is a block itself is kept as a reference when it was saved, else inside.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        hide_input_in_errors=True, extra="allow"
    )

    #: Names of the type; made of the class's name by default.
    _block_type_name: ClassVar[str | None] = None
    _block_type_slug: ClassVar[str | None] = None
    #: What people read about the type; the docstring's first lines by default.
    _description: ClassVar[str | None] = None
    #: Declared so that classes written for Prefect stay as they are; not shown yet.
    _logo_url: ClassVar[Any] = None
    _documentation_url: ClassVar[Any] = None
    _code_example: ClassVar[str | None] = None
    _block_schema_capabilities: ClassVar[list[str] | None] = None
    _block_schema_version: ClassVar[str | None] = None

    _block_document_id: UUID | None = PrivateAttr(None)
    _block_document_name: str | None = PrivateAttr(None)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Make the class known under its slug."""
        super().__pydantic_init_subclass__(**kwargs)
        if (
            "[" not in cls.__name__
        ):  # a generic class with its types filled in is the same type of block
            register(cls.get_block_type_slug(), cls)

    def model_post_init(self, context: Any, /) -> None:
        """Keep the secrets out of log lines and call ``block_initialization``."""
        super().model_post_init(context)
        hide(list(secrets_of(self)))
        self.block_initialization()

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        hide(list(secrets_of(self)))

    def __str__(self) -> str:
        return repr(self)

    @model_validator(mode="wrap")
    @classmethod
    def _find_class(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        """Validate what says which subclass it is with that class."""
        if isinstance(value, dict) and _SLUG in value:
            given = dict(cast("dict[str, Any]", value))
            kind = block_class(given.pop(_SLUG))
            if kind is not cls and issubclass(kind, cls):
                return kind.model_validate(given)
            value = given
        return handler(value)

    def block_initialization(self) -> None:
        """Do what has to be done once the fields are set; for subclasses."""

    @classmethod
    def get_block_type_name(cls) -> str:
        """Return what people call this type of block."""
        return cls._block_type_name or cls.__name__.partition("[")[0]

    @classmethod
    def get_block_type_slug(cls) -> str:
        """Return the name of this type of block in ``slug/name``."""
        name = cls._block_type_slug or cls.get_block_type_name()
        return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")

    @classmethod
    def get_description(cls) -> str | None:
        """Return what people read about this type of block."""
        return cls._description or (cls.__doc__ or "").strip().partition("\n\n")[0]

    @classmethod
    def is_block_class(cls, block: Any) -> bool:
        """Say whether something is a class of blocks."""
        return isinstance(block, type) and issubclass(block, Block)

    @classmethod
    async def aregister_type_and_schema(cls) -> None:
        """Do what `register_type_and_schema` does."""
        _check_is_subclass(cls)

    @classmethod
    @dispatched(aregister_type_and_schema)
    def register_type_and_schema(cls) -> None:
        """Do nothing more: a type of block is known once its class is defined.

        Raises:
            TypeError: It is called on ``Block`` itself.
        """
        _check_is_subclass(cls)

    async def asave(
        self,
        name: str | None = None,
        overwrite: bool = False,  # noqa: FBT001, FBT002 - Prefect's signature
    ) -> UUID:
        """Keep the block under a name; see `save`."""
        return await in_thread(self.save, name, overwrite)

    @dispatched(asave)
    def save(
        self,
        name: str | None = None,
        overwrite: bool = False,  # noqa: FBT001, FBT002 - Prefect's signature
    ) -> UUID:
        """Keep the block under a name and return its id when it is durable.

        Args:
            name: Lower-case letters, numbers and dashes; by default the name it was loaded or saved under.
            overwrite: Replace the block of that name and type.

        Raises:
            ObjectAlreadyExists: There is one, and ``overwrite`` is false.
            InvalidNameError: It cannot have that name.
            EncryptionKeyError: It holds a secret that cannot be encrypted.
        """
        _check_is_subclass(type(self))
        name = checked_name("a block", name or self._block_document_name or "")
        fields = encode_fields(self, self._stand_in)
        slug = self.get_block_type_slug()
        write = created(
            "block", name, {"class": _path(type(self)), "fields": fields}, type=slug
        )
        row = keep(write, overwrite=overwrite)
        self._saved_as(row)
        return UUID(bytes=row.id)

    @classmethod
    async def aload(cls, name: str, validate: bool = True) -> Self:  # noqa: FBT001, FBT002 - Prefect's signature
        """Return the block of a name; see `load`."""
        return await in_thread(cls.load, name, validate)

    @classmethod
    @dispatched(aload)
    def load(cls, name: str, validate: bool = True) -> Self:  # noqa: FBT001, FBT002 - Prefect's signature
        """Return the block of a name.

        Args:
            name: Its name; for ``Block.load`` its type too: ``"secret/api-key"``.
            validate: Check the values against the fields of the class, as it is in today's code.

        Raises:
            BlockNotFound: There is none; also a ``ValueError``.
            UnknownBlockType: The class of the type is not imported.
            BlockNotLoadableError: The values do not fit the class.
            SecretNotReadableError: A secret was encrypted with another key.
        """
        return cls._of(_find(*_typed(cls, name)), validate=validate)

    @classmethod
    async def aload_from_ref(cls, ref: Any, validate: bool = True) -> Self:  # noqa: FBT001, FBT002 - Prefect's signature
        """Return the block of an id; see `load_from_ref`."""
        return await in_thread(cls.load_from_ref, ref, validate)

    @classmethod
    @dispatched(aload_from_ref)
    def load_from_ref(cls, ref: Any, validate: bool = True) -> Self:  # noqa: FBT001, FBT002 - Prefect's signature
        """Return the block of an id.

        Args:
            ref: The id, as UUID or text, or ``{"block_document_id": id}``.
            validate: As of `load`.

        Raises:
            BlockNotFound: There is none.
        """
        given = cast("Any", ref)[_ID] if isinstance(ref, dict) else ref
        block_id = given if isinstance(given, UUID) else UUID(str(given))
        row = maker().documents.get(block_id.bytes)
        if row is None or row.kind != "block":
            raise BlockNotFound("block", str(block_id))
        return cls._of(row, validate=validate)

    @classmethod
    async def adelete(cls, name: str) -> None:
        """Delete the block of a name; see `delete`."""
        await in_thread(cls.delete, name)

    @classmethod
    @dispatched(adelete)
    def delete(cls, name: str) -> None:
        """Delete the block of a name.

        Args:
            name: As of `load`.

        Raises:
            BlockNotFound: There is none.
        """
        discard("block", _find(*_typed(cls, name)).id)

    @classmethod
    def _of(cls, row: Document, *, validate: bool) -> Self:
        """Return the block of a document."""
        what = f"{row.type}/{row.key}"
        kind = cls
        if row.type != cls.get_block_type_slug() or cls is Block:
            kind = cast("type[Self]", block_class(row.type, row.data["class"]))
        fields: dict[str, Any] = {}
        for name, kept in row.data["fields"].items():
            try:
                fields[name] = decode(kept, what, Block.load_from_ref)
            except BlockNotFound as error:
                if validate:
                    problem = f"{name}: {error}"
                    raise BlockNotLoadableError(what, (problem,)) from error
                fields[name] = None
        try:
            block = kind.model_validate(fields)
        except ValidationError as error:
            if validate:
                raise BlockNotLoadableError(what, _problems(error)) from None
            block = kind.model_construct(**fields)
            hide(list(secrets_of(block)))
        block._saved_as(row)  # noqa: SLF001 - its own class
        return block

    @staticmethod
    def _stand_in(model: BaseModel) -> dict[str, Any] | None:
        """Return what is kept of a block inside another; None for other models."""
        if not isinstance(model, Block):
            return None
        saved_as = model._block_document_id  # noqa: SLF001 - of its own class
        if saved_as is not None:
            return {REFERENCE: {_ID: str(saved_as)}}
        fields = encode_fields(model, Block._stand_in)
        return {_SLUG: model.get_block_type_slug(), **fields}

    def _saved_as(self, row: Document) -> None:
        self._block_document_id = UUID(bytes=row.id)
        self._block_document_name = row.key


def _typed(cls: type[Block], name: str) -> tuple[str, str]:
    """Return slug and name of what is to be found."""
    if cls is not Block:
        return cls.get_block_type_slug(), name
    slug, separator, rest = name.partition("/")
    if not separator:
        rule = "Give its type too, such as 'secret/api-key', or use the class of the block."
        raise InvalidNameError("a block of any type", name, rule)
    return slug, rest


def _find(slug: str, name: str) -> Document:
    found = maker().documents.find(DocumentFilter("block", name, slug), limit=1)
    if not found:
        raise BlockNotFound("block", f"{slug}/{name}")
    return found[0]


def _check_is_subclass(cls: type[Block]) -> None:
    if cls is Block:
        msg = "Block itself has no fields: make a subclass of it"
        raise TypeError(msg)


def _path(cls: type[Block]) -> str:
    return f"{cls.__module__}.{cls.__qualname__.partition('[')[0]}"


def _problems(error: ValidationError) -> tuple[str, ...]:
    """Return what is wrong with values, without the values: they may be secret."""
    return tuple(
        f"{'.'.join(map(str, problem['loc'])) or 'the block'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    )  # fmt: skip
