"""Refusals of the broker, named by the conditions Azure uses, so that SDKs raise what they should.

BrokerError ─┬─ EntityNotFound        amqp:not-found
             ├─ EntityDisabled        com.microsoft:entity-disabled
             ├─ EntityExists          com.microsoft:entity-already-exists
             ├─ MessageLockLost       com.microsoft:message-lock-lost
             ├─ SessionLockLost       com.microsoft:session-lock-lost
             ├─ SessionCannotBeLocked com.microsoft:session-cannot-be-locked
             ├─ MessageNotFound       com.microsoft:message-not-found
             ├─ MessageTooLarge       amqp:link:message-size-exceeded
             ├─ QuotaExceeded         amqp:resource-limit-exceeded
             ├─ TimedOut              com.microsoft:timeout
             ├─ NotAllowed            amqp:not-allowed
             └─ InvalidArgument       com.microsoft:argument-error

`status` is the HTTP status that the management node and the administration endpoint answer.
"""

from __future__ import annotations


class BrokerError(Exception):
    """The broker refuses; the message says why."""

    condition = "amqp:internal-error"
    status = 500


class EntityNotFoundError(BrokerError):
    """No queue, topic or subscription has this address."""

    condition = "amqp:not-found"
    status = 404

    @classmethod
    def at(cls, path: str) -> EntityNotFoundError:
        """Say which path leads nowhere."""
        return cls(f"The messaging entity '{path}' could not be found.")


class EntityDisabledError(BrokerError):
    """The entity's status forbids the operation."""

    condition = "com.microsoft:entity-disabled"
    status = 403


class EntityExistsError(BrokerError):
    """The name is taken."""

    condition = "com.microsoft:entity-already-exists"
    status = 409


class MessageLockLostError(BrokerError):
    """The lock expired, or the message has left the entity."""

    condition = "com.microsoft:message-lock-lost"
    status = 410

    def __init__(self) -> None:
        super().__init__(
            "The lock supplied is invalid. Either the lock expired, or the message has already "
            "been removed from the queue."
        )


class SessionLockLostError(BrokerError):
    """The session's lock expired or belongs to another receiver."""

    condition = "com.microsoft:session-lock-lost"
    status = 410

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"The session lock has expired on the session '{session_id}'. Accept the session again."
        )


class SessionCannotBeLockedError(BrokerError):
    """Another receiver holds the session."""

    condition = "com.microsoft:session-cannot-be-locked"
    status = 409

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"The requested session '{session_id}' cannot be accepted. "
            "It may be locked by another receiver."
        )


class MessageNotFoundError(BrokerError):
    """No message in the right state has this sequence number."""

    condition = "com.microsoft:message-not-found"
    status = 404


class MessageTooLargeError(BrokerError):
    """The message is larger than the entity accepts."""

    condition = "amqp:link:message-size-exceeded"
    status = 413


class QuotaExceededError(BrokerError):
    """The entity or the namespace is full."""

    condition = "amqp:resource-limit-exceeded"
    status = 403


class TimedOutError(BrokerError):
    """What was waited for did not happen in time."""

    condition = "com.microsoft:timeout"
    status = 408


class NotAllowedError(BrokerError):
    """The operation does not fit the entity, such as sending without a session where one is due."""

    condition = "amqp:not-allowed"
    status = 400


class InvalidArgumentError(BrokerError):
    """A value is outside what Service Bus accepts."""

    condition = "com.microsoft:argument-error"
    status = 400
