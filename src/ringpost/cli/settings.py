"""config show."""

from typing import Any

import typer
from pydantic import SecretStr

from ringpost.cli.opening import AsJson, DataDir, load_config
from ringpost.cli.output import print_rows, without_password
from ringpost.config import Config

app = typer.Typer(help="The configuration: environment variables RINGPOST_* and the file .env.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `show` a command of its own although it is the only one."""


@app.command()
def show(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show every setting as it is in force, and whether it was set or is the default. Secrets are masked.

    Example: [b]RINGPOST_PORT=9000 ringpost config show[/b]
    """
    config = load_config(data_dir)
    print_rows([_row(config, name) for name in Config.model_fields], as_json=as_json, nothing="")


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, SecretStr):
        return "***"
    if name == "database_url" and value is not None:
        return without_password(value)
    return value


def _row(config: Config, name: str) -> dict[str, Any]:
    value = getattr(config, name)
    return {
        "setting": f"RINGPOST_{name.upper()}",
        "value": _shown(name, value),
        "from": "set" if name in config.model_fields_set else "default",
    }
