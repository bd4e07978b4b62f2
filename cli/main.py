"""The command `undertone`: one thin module a group of commands, and one place that shows errors.

undertone up
undertone predict "I love this product!"
"""

from __future__ import annotations

import sys
from typing import Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from cli.offline import compare, distill, evaluate, score, train, tune
from cli.online import classify_file, ingest, insight, keys, platform, predict, rollout
from cli.stores import data, models
from sentiment.errors import UndertoneError, no_room


class _Commands(TyperGroup):
    """Shows expected errors as one line, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as exc:
            exc.message = exc.message.removeprefix("Value error, ")  # Typer passes on what pydantic begins with
            raise
        except (UndertoneError, OSError) as exc:
            reason = no_room(exc) if isinstance(exc, OSError) else exc
            if reason is None:
                raise
            message = Text.assemble(("Error:", "bold red"), f" {reason}")
            Console(stderr=True, soft_wrap=True).print(message, highlight=False)
            sys.exit(1)


app = typer.Typer(
    cls=_Commands,
    help="Undertone tells how people feel about a topic, live.",
    epilog="Start with: undertone up",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (platform, predict, classify_file, train, distill, evaluate, compare, tune, score):
    module.register(app)
app.add_typer(data.app, name="data")
app.add_typer(ingest.app, name="ingest")
app.add_typer(insight.app, name="insight")
app.add_typer(keys.app, name="keys")
app.add_typer(models.app, name="models")
app.add_typer(rollout.app, name="rollout")


if __name__ == "__main__":
    app()
