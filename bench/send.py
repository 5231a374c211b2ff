"""Sending alone: Ringpost's SMTP client beside smtp-source, into the same mail server."""

import asyncio
import time

import uvloop

from bench import install, machine, mail, race, results
from bench.contenders import raw
from bench.sink import running_sink
from ringpost.domain.addresses import parse_address
from ringpost.domain.deliveries import Verdict
from ringpost.domain.endpoints import Auth, SmtpEndpoint, TlsMode
from ringpost.domain.messages import Envelope
from ringpost.transports.smtp import SmtpOptions, SmtpTransport

CONNECTIONS = 4
UNDER_WAY = 256
"""Sends at once."""


def main(*, full: bool) -> None:
    """Measure both in turns and save the rates."""
    steal = machine.Steal()
    install.install()
    messages, rounds = (40_000, 9) if full else (15_000, 5)
    laps: list[dict[str, dict[str, float]]] = []
    with race.workspace() as folder, running_sink(folder / "sink.log") as sink:
        for _ in range(rounds):
            laps.append({})
            if raw.path():
                offer = raw.smtp_source(sink.port, messages, 8, mail.WIRE_BYTES - raw.HEADERS)
                laps[-1]["raw"] = {"rate": messages / (offer.end - offer.begin)}
            laps[-1]["ringpost"] = {"rate": uvloop.run(_send(sink.port, messages))}
            print("  " + ", ".join(f"{name} {lap['rate']:,.0f}/s" for name, lap in laps[-1].items()), flush=True)
    results.save("send", {"messages": messages, "rounds": rounds, "laps": laps}, steal=steal, full=full)


async def _send(port: int, messages: int) -> float:
    """Messages a second of our transport, with a steady number of sends under way."""
    endpoint = SmtpEndpoint("127.0.0.1", port, TlsMode.CLEAR, Auth.DISABLE, "", None, restricted=False)
    transport = SmtpTransport(endpoint, SmtpOptions(ehlo_name="bench.example.com", connections=CONNECTIONS))
    envelope = Envelope(parse_address(mail.SENDER), parse_address(mail.RECIPIENT))
    content = _message(mail.WIRE_BYTES)
    left = iter(range(messages))

    async def sender() -> None:
        for _ in left:
            outcome = await transport.send(envelope, content)
            assert outcome.verdict is Verdict.SENT, outcome

    begin = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(UNDER_WAY)))
    seconds = time.perf_counter() - begin
    await transport.close()
    return messages / seconds


def _message(size: int) -> bytes:
    """A message of so many bytes in lines of 76."""
    head = b"From: bench@example.com\r\nTo: manager@example.com\r\nSubject: bench\r\n\r\n"
    line = b"QUJD" * 19 + b"\r\n"
    body = line * (size // len(line))
    return head + body[: size - len(head) - 2] + b"\r\n"
