"""The `daybook` command: one-line errors, exit codes 0 (done), 1 (the job failed), 2 (wrong use)."""

from __future__ import annotations

import gc
import importlib
import sys

import click

from core.errors import DaybookError
from core.undisturbed import undisturbed

# Each command's place and summary. Loaded when called: `daybook --help` stays fast, and a worker does not carry the web
# server.
COMMANDS = {
    "demo": ("cli.demo:demo", "the main job on embedded parts: replay a clone's history, show its report"),
    "up": ("cli.up:up", "run every process here: web, worker, control, beat (and Redis)"),
    "replay": ("cli.replay:replay_command", "post a clone's history to a running endpoint as signed pushes"),
    "report": ("cli.report:report", "assemble a day's report now and print it"),
    "publish": ("cli.publish:publish", "bring a day's report to GitHub and into mails now, as its repository asks"),
    "changes": ("cli.changes:changes", "every compatibility change between two commits or days, for an upgrade"),
    "backfill": ("cli.backfill:backfill", "ask the source what landed and queue what is not known yet"),
    "triage": ("cli.triage:triage", "what the rules make of a clone's commits, or people's corrections, as JSON lines"),
    "retier": ("cli.retier:retier", "say how much a commit matters, and why; its page is made again"),
    "failed": ("cli.failed:failed", "the commits that were given up on: list, retry, drop"),
    "notify": ("cli.notify:notify", "try the channels (--test), or see how a commit is told in them (--preview SHA)"),
    "reindex": ("cli.reindex:reindex", "make this host's search index again from the ledger"),
    "check": ("cli.check:check", "check settings, Redis, GitHub, the model, Slack, clock and scheduler"),
    "status": ("cli.status:status", "what is waiting, done and failed"),
    "web": ("cli.processes:web", "the web process alone"),
    "worker": ("cli.processes:worker", "a worker alone: fetches and analyses commits"),
    "control": ("cli.processes:control", "the control worker alone: sweep, suspects, reports"),
    "beat": ("cli.processes:beat", "the scheduler alone; of several one leads, and the others stand by"),
}


class LazyGroup(click.Group):
    """Finds a command by its name in the table above."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands in the order a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        with undisturbed():  # classes and functions stay: to look through them takes a seventh of the start
            importlib.import_module("core.light_imports")  # before whatever loads structlog or redis
            importlib.import_module("core.log").only_errors()
            command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands with a line each, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="daybook")
def daybook(*, debug: bool) -> None:
    """Daybook: a daily, analysed report of every commit to the repositories you depend on."""


def main() -> None:
    """Entry point of the `daybook` script."""
    debug = "--debug" in sys.argv
    try:
        code = daybook([word for word in sys.argv[1:] if word != "--debug"], standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)  # click hands an Exit's code back
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except DaybookError as error:
        if debug:
            raise
        click.echo(f"daybook: {error}", err=True)
        sys.exit(1)
    except Exception as error:  # the last edge: one line for a person, the traceback on demand
        if debug:
            raise
        click.echo(
            f"daybook: unexpected {type(error).__name__}: {error}; run again with --debug to see where", err=True
        )
        sys.exit(1)
    finally:
        gc.freeze()  # all of it goes with the process: Python would look for cycles first, a tenth of a short command


if __name__ == "__main__":
    main()
