"""Everything that the demo runs, started together and stopped together: API, worker, mail server, mailbox viewer."""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from ringpost import serving, wiring
from ringpost.config import Config
from ringpost.demo.mailbox import Mailbox, open_mail_server
from ringpost.demo.viewer import create_viewer
from ringpost.usecases.room import Room


class DemoConfig(Config):
    """Knows nothing of the environment, so that the demo never touches what a real Ringpost here works with."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the code says, and nothing else."""
        return (init_settings,)


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs, and where it is reached."""

    room: Room
    mailbox: Mailbox
    mail_port: int
    api_url: str
    viewer_url: str
    admin_token: str


def demo_config(data_dir: Path, admin_token: str) -> Config:
    """A Ringpost that listens on this machine only, and may send to it."""
    return DemoConfig(
        data_dir=data_dir,
        admin_token=SecretStr(admin_token),
        allowed_mail_networks="127.0.0.0/8",
        pbx_web_domain="pbx.example.com",
        ehlo_name="[127.0.0.1]",
        log_level="warning",
    )


@asynccontextmanager
async def open_stage(data_dir: Path, port: int) -> AsyncGenerator[Stage]:
    """Start it all; at the end, stop it all gently. Raises OSError when `port` is taken."""
    admin_token = f"rp_demo_{secrets.token_urlsafe(32)}"
    config = demo_config(data_dir, admin_token)
    mailbox = Mailbox()
    with serving.listen(config.host, port) as api_socket, serving.listen(config.host, 0) as viewer_socket:
        async with wiring.open_room(config) as room, asyncio.TaskGroup() as group:
            mail_server, mail_port = await open_mail_server(mailbox)
            api, viewer, worker = serving.api_server(room, config), _viewer(mailbox), wiring.worker(room, config)
            for server, socket in ((api, api_socket), (viewer, viewer_socket)):
                group.create_task(server.serve(sockets=[socket]))
            group.create_task(worker.run())
            urls = serving.url_of(api_socket), serving.url_of(viewer_socket)
            try:
                yield Stage(room, mailbox, mail_port, *urls, admin_token)
            finally:
                for running in (api, viewer, worker):
                    running.stop()
                mail_server.close()


def _viewer(mailbox: Mailbox) -> serving.ApiServer:
    config = uvicorn.Config(
        create_viewer(mailbox),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return serving.ApiServer(config)
