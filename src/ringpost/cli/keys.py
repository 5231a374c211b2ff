"""keys rotate, reseal, retire: a new key for what is sealed at rest, in three steps."""

from collections.abc import Sequence

import typer

from ringpost import wiring
from ringpost.cli.exits import Failed, Misconfigured
from ringpost.cli.opening import DataDir, in_room, load_config, require_database
from ringpost.cli.output import say
from ringpost.config import Config
from ringpost.storage.keyring import KeyRing
from ringpost.storage.overview import workers_alive
from ringpost.storage.tables import AnyRow
from ringpost.usecases.reseal import Resealed, reseal
from ringpost.usecases.room import Room

app = typer.Typer(
    help="Keys that seal passwords and mails at rest. To change them: rotate, restart everything, reseal, retire.",
    no_args_is_help=True,
)


@app.command()
def rotate(data_dir: DataDir = None) -> None:
    """Put a new key in front of the key file; the old ones still open what they sealed.

    Restart all processes after it, then run `ringpost keys reseal`.

    Example: [b]ringpost keys rotate && systemctl restart 'ringpost*'[/b]
    """
    config = _with_key_file(data_dir)

    async def put_in_front(_: Room) -> KeyRing:  # in the room: it opens only if the keys and the version are its own
        return KeyRing.change(wiring.key_file(config), KeyRing.with_fresh_key)

    ring = in_room(data_dir, put_in_front)
    say(f"{ring.current} seals from now on. Restart all processes of Ringpost, then: ringpost keys reseal")


@app.command("reseal")
def reseal_(data_dir: DataDir = None) -> None:
    """Seal again, with the newest key, what older keys have sealed. It can run beside everything else.

    Example: [b]ringpost keys reseal[/b]
    """
    done = in_room(data_dir, reseal)
    say(f"{done.resealed} values were sealed with the newest key.")
    _refuse_broken(done)


@app.command()
def retire(data_dir: DataDir = None) -> None:
    """Drop all keys but the newest, after a last reseal. A backup from before needs the old ones: keep that key file.

    Refused while workers run that were started before the newest key was made: what they seal could not be opened.

    Example: [b]ringpost keys retire[/b]
    """
    config = _with_key_file(data_dir)

    async def reseal_for_the_last_time(room: Room) -> tuple[KeyRing, KeyRing]:
        file = wiring.key_file(config)
        if len(before := KeyRing.load(file)) > 1:
            made = file.stat().st_mtime_ns // 1_000_000
            _refuse_older(made, await room.database.read(workers_alive, room.clock()))
        _refuse_broken(await reseal(room))
        # Whoever has rotated meanwhile has put a key in front of the one that was resealed with.
        return before, KeyRing.change(file, lambda ring: ring.without_older_than(room.sealer.current))

    before, left = in_room(data_dir, reseal_for_the_last_time)
    dropped = len(before.keys() - left.keys())
    were = "old key was" if dropped == 1 else "old keys were"
    are = "is the only one" if len(left) == 1 else "are left"
    say(f"{dropped} {were} dropped; {', '.join(left)} {are}.")


def _with_key_file(data_dir: DataDir) -> Config:
    config = load_config(data_dir)
    require_database(config)
    if config.keys is not None:
        raise Misconfigured(
            "The keys come from RINGPOST_KEYS, so change them there. Add name:base64 of 32 random bytes "
            "(openssl rand -base64 32) at the end and restart all processes; then move it to the front, restart all "
            "again, and run: ringpost keys reseal"
        )
    return config


def _refuse_older(made: int, workers: Sequence[AnyRow]) -> None:
    older = [f"{worker.name} on {worker.host}" for worker in workers if worker.since < made]
    if older:
        raise Failed(
            "Workers from before the newest key still seal with an old one, and what they seal would be lost: "
            f"{', '.join(older)}. Restart all processes of Ringpost, then try again; a worker that was killed counts "
            "for a minute."
        )


def _refuse_broken(done: Resealed) -> None:
    if done.broken:
        raise Failed(f"{done.broken} values open with none of the keys; keep all keys until you know why.")
