"""Rejects messages that Celery cannot read or that a node never sends, so that none of them ends a worker.

Every client of the broker can put a message into a queue. Celery ends the worker when a message raises before its task
runs. The message then returns to the queue and ends the next worker. A rejected message is logged once without its
content, counted, and removed from the queue.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from queue import Empty
from typing import Any, Final

from celery.worker.consumer import Consumer
from celery.worker.control import inspect_command
from kombu.transport import TRANSPORT_ALIASES, redis, virtual

from infra.ids import new_id

REASON_LENGTH_MAX: Final = 100  # characters of the reason in a log line
NEEDED: Final = ("id", "task")
TEXTS: Final = ("group", "shadow", "expires", "root_id", "parent_id", "argsrepr", "kwargsrepr", "origin", "lang")
ADDRESSES: Final = ("correlation_id", "reply_to")
OTHERS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "retries": lambda given: isinstance(given, int | None),
    "timelimit": lambda given: all(one is None for one in given or ()),
    "eta": lambda given: given is None,
    "stamps": lambda given: not given,
    "stamped_headers": lambda given: not given,
}
COMMAND: Final = "rejected_messages"
"""The remote control command that answers with the number of messages that a worker rejected."""

LOG = logging.getLogger(__name__)


class Rejections:
    """Counts the messages that this process rejected; each process has an `id` of its own and counts from zero."""

    def __init__(self) -> None:
        self.id = new_id()
        self.count = 0

    def add(self, reason: str) -> None:
        """Count a message, and log why it was rejected."""
        self.count += 1
        LOG.warning("a message at the broker was rejected (%s so far): %s", self.count, reason[:REASON_LENGTH_MAX])


REJECTIONS: Final = Rejections()


@inspect_command(name=COMMAND)
def rejected_messages(_state: Any) -> dict[str, Any]:
    """Answer with the number of messages that this worker rejected, and the id of the count."""
    return {"id": REJECTIONS.id, "count": REJECTIONS.count}


class GuardedMessage(virtual.Message):
    """A message of the Redis transport; one with a malformed envelope has `errors` instead of a body."""

    def __init__(self, payload: Any, channel: Any = None, **kwargs: Any) -> None:
        try:
            _check_envelope(payload)
            super().__init__(payload, channel, **kwargs)
        except Exception:  # noqa: BLE001 -- any malformed content; the consumer rejects it.
            failure = sys.exc_info()
            address = {"exchange": "", "routing_key": ""}
            empty = {"properties": {"delivery_tag": new_id(), "delivery_info": address}}
            super().__init__(empty, channel, **kwargs)
            self.errors = [failure]


class GuardedChannel(redis.Channel):
    """A channel of the Redis transport that survives messages which are not JSON or have a malformed envelope."""

    Message = GuardedMessage

    def _brpop_read(self, **options: Any) -> Any:
        return self._guarded(super()._brpop_read, **options)

    def _receive(self) -> Any:
        return self._guarded(super()._receive)

    def _guarded(self, read: Callable[..., Any], **options: Any) -> Any:
        try:
            return read(**options)
        except Exception as error:
            if isinstance(error, (Empty, *self.connection_errors, *self.connection.channel_errors)):
                raise
            REJECTIONS.add(type(error).__name__)
            raise Empty from error


class GuardedTransport(redis.Transport):
    """The Redis transport with the guarded channel."""

    Channel = GuardedChannel


# Not the setting `broker_transport`: Kombu takes the options of TLS from the alias `rediss`.
TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:GuardedTransport"))


class GuardedConsumer(Consumer):
    """A worker's consumer that rejects each message which raises before its task runs."""

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """Return the handler of messages."""
        handle = super().create_task_handler(*args, **kwargs)
        broken = (*self.connection_errors, *self.connection.channel_errors)

        def on_task_received(message: Any) -> None:
            try:
                _check_task(message, self.app.conf.beat_schedule)
                handle(message)
            except Exception as error:
                if isinstance(error, broken):
                    raise
                self._reject(message, error)

        return on_task_received

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Reject a message whose body cannot be read."""
        self._reject(message, exc)

    def on_invalid_task(self, _body: Any, message: Any, exc: Exception) -> None:
        """Reject a message that Celery finds invalid."""
        self._reject(message, exc)

    def _reject(self, message: Any, error: Exception) -> None:
        REJECTIONS.add(str(error) if isinstance(error, NotOfThisNode) else type(error).__name__)
        # A broadcast is not acknowledged, so it cannot be rejected.
        consumer = (message.delivery_info or {}).get("consumer_tag")
        if not message.acknowledged and consumer not in (message.channel.no_ack_consumers or ()):
            message.reject_log_error(LOG, self.connection_errors)


class NotOfThisNode(Exception):
    """A message that no node sends; the argument says what differs, without content of the message."""


def _check_envelope(payload: Mapping[str, Any]) -> None:
    """Raise NotOfThisNode, or what malformed content raises, for an envelope that the transport cannot keep."""
    properties = payload["properties"]
    address = properties["delivery_info"]
    for name, one in (
        ("delivery_tag", properties["delivery_tag"]),
        ("exchange", address["exchange"]),
        ("routing_key", address["routing_key"]),
    ):
        if not isinstance(one, str):
            raise NotOfThisNode(name)
    if not isinstance(payload.get("headers"), dict | None):
        raise NotOfThisNode("headers")


def _check_task(message: Any, jobs: Mapping[str, Any]) -> None:
    """Raise NotOfThisNode for a task message that differs from those that nodes and beats send."""
    headers, properties = message.headers, message.properties
    for name in NEEDED:
        if not isinstance(headers.get(name), str):
            raise NotOfThisNode(name)
    for values, names in ((headers, TEXTS), (properties, ADDRESSES)):
        for name in names:
            if not isinstance(values.get(name), str | None):
                raise NotOfThisNode(name)
    if headers["task"] not in jobs:
        raise NotOfThisNode(f"unknown job {headers['task']!r}")
    for name, fits in OTHERS.items():
        if not fits(headers.get(name)):
            raise NotOfThisNode(name)
    arguments, named, embedded = message.decode()
    if arguments or named or any(embedded.values()):
        raise NotOfThisNode("arguments")
