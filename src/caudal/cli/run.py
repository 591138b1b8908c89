"""``caudal run``: runs a flow from a file."""

from __future__ import annotations

import click

from caudal.cli.output import output_option


@click.command()
@click.argument("entrypoint", metavar="FILE[:FLOW]")
@click.option(
    "-p",
    "--param",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of the flow, as JSON or as plain text. May be repeated.",
)
@click.option(
    "--resume",
    "resumed",
    metavar="RUN",
    help="Go on with an earlier run, by its id, the start of it, or its name.",
)
@click.option(
    "--as-prefect",
    is_flag=True,
    help="Have `import prefect` in the file mean caudal.",
)
@output_option
@click.pass_context
def run(
    ctx: click.Context,
    entrypoint: str,
    parameters: tuple[str, ...],
    resumed: str | None,
    output: str,
    *,
    as_prefect: bool,
) -> None:
    """Run a flow from a file and watch it.

    FLOW may be left out when the file defines one flow. Progress and log lines go to stderr; stdout is left to what the flow
    prints, or with --output json to one object that tells the outcome.

    Exit status: 0 completed, paused or suspended; 1 failed, crashed or cancelled from elsewhere; 2 nothing was run; 130 interrupted with Ctrl-C; 143
    ended by SIGTERM.
    """
    from caudal.cli.execution import carry_out, new_job, results_apart, resumed_job
    from caudal.cli.parameters import split_parameters
    from caudal.client import get_client
    from caudal.flows import load_flow_from_entrypoint
    from caudal.settings import get_current_settings

    if as_prefect:
        from caudal import compat

        compat.tell_ignored(compat.install())
    texts = split_parameters(parameters)
    get_current_settings()  # wrong settings are reported before any of the user's code runs
    with results_apart(output) as results:
        flow = load_flow_from_entrypoint(entrypoint)
        if resumed is None:
            job = new_job(flow, texts)
        else:
            job = resumed_job(flow, get_client().find_flow_run(resumed), texts)
        ctx.exit(carry_out(job, results))
