"""``caudal concurrency-limit`` and ``caudal global-concurrency-limit``: named limits, and those on the tasks with a tag."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from caudal.cli.output import (
    Cell,
    Column,
    Group,
    format_age,
    format_time,
    iso,
    limit_option,
    output_option,
    print_fields,
    print_heading,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from caudal.model.limit_views import GlobalConcurrencyLimit

_COLUMNS = (
    Column("Name"),
    Column("Limit", is_number=True),
    Column("In use", is_number=True),
    Column("Comes back"),
    Column("Active"),
    Column("Updated"),
)
_TAG_COLUMNS = (
    Column("Tag"),
    Column("Limit", is_number=True),
    Column("In use", is_number=True),
    Column("Updated"),
)
_HOLDER_COLUMNS = (Column("Held by"), Column("Slots", is_number=True), Column("Since"))
#: What the names of limits on tags begin with.
_TAG = "tag:"
#: The most limits that are listed.
_MAX = 10_000

_decay_option = click.option(
    "--slot-decay-per-second",
    type=click.FloatRange(0),
    help="Make it a rate limit: so many slots come back each second.",
)


@click.group("global-concurrency-limit", cls=Group)
def global_concurrency_limit() -> None:
    """List, make and change named limits.

    Code takes slots of them with `concurrency(NAME)` and `rate_limit(NAME)`.
    """


@click.group("concurrency-limit", cls=Group)
def concurrency_limit() -> None:
    """Limit how many task runs with a tag run at a time.

    The limit on a tag is the named limit `tag:TAG`.
    """


@global_concurrency_limit.command("ls")
@limit_option
@output_option
def list_limits(limit: int, output: str) -> None:
    """List limits by name."""
    from caudal.client import get_client
    from caudal.clock import now

    found = get_client().read_global_concurrency_limits(limit)
    if output == "json":
        print_json([_record(each) for each in found])
        return
    if not found:
        click.echo("There are no limits. `caudal global-concurrency-limit create` makes one.", err=True)  # fmt: skip
        return
    print_table(
        _COLUMNS,
        [
            [
                each.name,
                str(each.limit),
                str(each.active_slots),
                _decay(each),
                "yes" if each.active else Cell("no", "yellow"),
                format_age(each.updated, now()),
            ]
            for each in found
        ],
    )
    if len(found) == limit:
        click.echo(f"The first {limit}; --limit shows more.", err=True)


@global_concurrency_limit.command()
@click.argument("name")
@click.option(
    "--limit", required=True, type=click.IntRange(0), help="How many slots it has."
)
@_decay_option
@click.option("--disable", is_flag=True, help="Make it inactive: it limits nothing.")
def create(
    name: str, limit: int, slot_decay_per_second: float | None, *, disable: bool
) -> None:
    """Make a limit."""
    from caudal.client import get_client
    from caudal.client.schemas.actions import GlobalConcurrencyLimitCreate

    get_client().create_global_concurrency_limit(
        GlobalConcurrencyLimitCreate(
            name, limit, not disable, slot_decay_per_second or 0.0
        )
    )
    click.echo(f"Made concurrency limit {name!r}.", err=True)


@global_concurrency_limit.command()
@click.argument("name")
@click.option("--limit", type=click.IntRange(0), help="How many slots it has.")
@_decay_option
@click.option("--enable/--disable", default=None, help="Whether it limits anything.")
def update(
    name: str,
    limit: int | None,
    slot_decay_per_second: float | None,
    *,
    enable: bool | None,
) -> None:
    """Change a limit; slots that are held stay held."""
    if (limit, slot_decay_per_second, enable) == (None, None, None):
        message = "Say what to change: --limit, --slot-decay-per-second, --enable or --disable."
        raise click.UsageError(message)
    _update(name, limit, slot_decay_per_second, active=enable)
    click.echo(f"Changed concurrency limit {name!r}.", err=True)


@global_concurrency_limit.command()
@click.argument("name")
def enable(name: str) -> None:
    """Have a limit count again."""
    _update(name, active=True)
    click.echo(f"Enabled concurrency limit {name!r}.", err=True)


@global_concurrency_limit.command()
@click.argument("name")
def disable(name: str) -> None:
    """Have a limit limit nothing until it is enabled."""
    _update(name, active=False)
    click.echo(f"Disabled concurrency limit {name!r}.", err=True)


@global_concurrency_limit.command()
@click.argument("name")
@output_option
def inspect(name: str, output: str) -> None:
    """Show a limit and who holds its slots."""
    _inspect(name, output)


@global_concurrency_limit.command()
@click.argument("name")
def reset(name: str) -> None:
    """Free all slots of a limit; the code that held them goes on."""
    _reset(name)
    click.echo(f"All slots of concurrency limit {name!r} are free.", err=True)


@global_concurrency_limit.command()
@click.argument("name")
def delete(name: str) -> None:
    """Delete a limit; the code that held slots goes on, and nobody waits for them any more."""
    _delete(name)
    click.echo(f"Deleted concurrency limit {name!r}.", err=True)


@concurrency_limit.command("ls")
@limit_option
@output_option
def list_tag_limits(limit: int, output: str) -> None:
    """List the limits on tags by tag."""
    from caudal.client import get_client
    from caudal.clock import now

    limits = get_client().read_global_concurrency_limits(_MAX)
    found = [each for each in limits if each.name.startswith(_TAG)][:limit]
    if output == "json":
        print_json([_record(each) for each in found])
        return
    if not found:
        click.echo("No tag is limited. `caudal concurrency-limit create` limits one.", err=True)  # fmt: skip
        return
    print_table(
        _TAG_COLUMNS,
        [
            [
                each.name.removeprefix(_TAG),
                str(each.limit),
                str(each.active_slots),
                format_age(each.updated, now()),
            ]
            for each in found
        ],
    )
    if len(found) == limit:
        click.echo(f"The first {limit}; --limit shows more.", err=True)


@concurrency_limit.command("create")
@click.argument("tag")
@click.argument("limit", type=click.IntRange(0))
def create_tag_limit(tag: str, limit: int) -> None:
    """Let no more than LIMIT task runs with TAG run at a time, or change that number; with 0 all of them wait."""
    from caudal.client import get_client

    get_client().create_concurrency_limit(tag, limit)
    click.echo(f"Limited task runs with tag {tag!r} to {limit} at a time.", err=True)


@concurrency_limit.command("inspect")
@click.argument("tag")
@output_option
def inspect_tag_limit(tag: str, output: str) -> None:
    """Show the limit on a tag and the task runs that hold its slots."""
    with _about_tag(tag):
        _inspect(_TAG + tag, output)


@concurrency_limit.command("reset")
@click.argument("tag")
def reset_tag_limit(tag: str) -> None:
    """Free all slots of the limit on a tag; the task runs that held them go on."""
    with _about_tag(tag):
        _reset(_TAG + tag)
    click.echo(f"All slots of the limit on tag {tag!r} are free.", err=True)


@concurrency_limit.command("delete")
@click.argument("tag")
def delete_tag_limit(tag: str) -> None:
    """Delete the limit on a tag."""
    with _about_tag(tag):
        _delete(_TAG + tag)
    click.echo(f"Deleted the limit on tag {tag!r}.", err=True)


@contextmanager
def _about_tag(tag: str) -> Generator[None]:
    """Say that a tag has no limit, rather than that there is no limit of the name."""
    from caudal.exceptions import ObjectNotFound

    try:
        yield
    except ObjectNotFound:
        raise ObjectNotFound("limit on the tag", tag) from None


def _update(
    name: str,
    limit: int | None = None,
    slot_decay_per_second: float | None = None,
    *,
    active: bool | None = None,
) -> None:
    from caudal.client import get_client
    from caudal.client.schemas.actions import GlobalConcurrencyLimitUpdate

    changes = GlobalConcurrencyLimitUpdate(limit, active, slot_decay_per_second)
    get_client().update_global_concurrency_limit(name, changes)


def _inspect(name: str, output: str) -> None:
    from caudal.client import get_client

    found = get_client().read_global_concurrency_limit_by_name(name)
    if output == "json":
        print_json(_record(found))
        return
    print_fields(
        [
            ("name", found.name),
            ("limit", str(found.limit)),
            ("in use", str(found.active_slots)),
            ("comes back", _decay(found)),
            ("active", None if found.active else Cell("no", "yellow")),
            ("created", format_time(found.created)),
            ("updated", format_time(found.updated)),
        ]
    )
    if found.holders:
        print_heading("Holders")
        print_table(
            _HOLDER_COLUMNS,
            [
                [each.label, str(each.slots), format_time(each.since)]
                for each in found.holders
            ],
        )


def _reset(name: str) -> None:
    from caudal.client import get_client

    get_client().reset_global_concurrency_limit_by_name(name)


def _delete(name: str) -> None:
    from caudal.client import get_client

    get_client().delete_global_concurrency_limit_by_name(name)


def _decay(limit: GlobalConcurrencyLimit) -> str:
    decay = limit.slot_decay_per_second
    return f"{decay:g} a second" if decay else ""


def _record(limit: GlobalConcurrencyLimit) -> dict[str, Any]:
    return {
        "name": limit.name,
        "limit": limit.limit,
        "active": limit.active,
        "active_slots": limit.active_slots,
        "slot_decay_per_second": limit.slot_decay_per_second,
        "holders": [
            {
                "label": each.label,
                "slots": each.slots,
                "since": iso(each.since),
                "run_id": None if each.run_id is None else str(each.run_id),
            }
            for each in limit.holders
        ],
        "created_at": iso(limit.created),
        "updated_at": iso(limit.updated),
    }
