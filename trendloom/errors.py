"""Every error that Trendloom raises on purpose, as one tree, and what becomes of each.

    TrendloomError
    ├── BadMessage            a record that cannot be used        -> dead letter, the stream goes on
    ├── OutsideUnavailable    something outside does not answer   -> retry with back-off, say so, then stop
    │   ├── BrokerUnavailable
    │   └── StoreUnavailable
    ├── StateError            the state cannot be trusted         -> stop loudly, with what to do
    │   ├── RulesChanged        it was made under other rules
    │   ├── StateLost           it went away under a running worker
    │   ├── LogTruncated        the log no longer holds what the state still needs
    │   └── TopicRecreated      the topic is not the one that the state was made from
    └── InputError            what a person handed over is wrong  -> exit 2, one sentence
        ├── CatalogueError
        ├── ClassifierError
        ├── CollaborativeModelError
        ├── LogFormatError
        ├── PhotoRefused    a photo to search with
        ├── RankerError     trees of the preset learned
        ├── SeasonError     counts of earlier years
        ├── SettingsError
        └── MissingExtra

Anything else that escapes is a bug of ours: it crashes the process, so that the log is read again.
Each error says what happened, with the values, and ends with ``Action: ...``.
"""

from __future__ import annotations

__all__ = [
    "BadMessage",
    "BrokerUnavailable",
    "CatalogueError",
    "ClassifierError",
    "CollaborativeModelError",
    "InputError",
    "LogFormatError",
    "LogTruncated",
    "MissingExtra",
    "OutsideUnavailable",
    "PhotoRefused",
    "RankerError",
    "RulesChanged",
    "SeasonError",
    "SettingsError",
    "StateError",
    "StateLost",
    "StoreUnavailable",
    "TopicRecreated",
    "TrendloomError",
]


class TrendloomError(Exception):
    """Whatever Trendloom raises on purpose; ``exit_code`` is what the command line returns for it."""

    exit_code = 1


class BadMessage(TrendloomError):
    """A record cannot be used: ``reason`` is one word for counters, the text is for a person.

    >>> error = BadMessage("not_json", "The record is not JSON. Action: send one JSON object a record.")
    >>> error.reason
    'not_json'
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class OutsideUnavailable(TrendloomError):
    """Something outside this process does not answer and the retries are used up."""

    exit_code = 3


class BrokerUnavailable(OutsideUnavailable):
    """Kafka does not answer. Operator action: start it, or correct ``--kafka``."""


class StoreUnavailable(OutsideUnavailable):
    """Redis does not answer. Operator action: start it, or correct ``--redis``."""


class StateError(TrendloomError):
    """The state in the store cannot be trusted as it is."""

    exit_code = 4


class RulesChanged(StateError):
    """The state was made under other half-lives or bounds. Operator action: ``trendloom state rebuild``."""


class StateLost(StateError):
    """The state went away, or was replaced, under a running worker. Operator action: start the worker again."""


class LogTruncated(StateError):
    """The log begins after the first offset that the state needs. Operator action: ``trendloom state rebuild``."""


class TopicRecreated(StateError):
    """The topic was deleted and made again. Operator action: ``trendloom state rebuild``."""


class InputError(TrendloomError):
    """What a person handed over (a file, a flag, a table) cannot be used."""

    exit_code = 2


class CatalogueError(InputError):
    """A catalogue directory, or what it should be built from, cannot be used."""


class ClassifierError(InputError):
    """A classifier, or what it should be trained on, cannot be used."""


class CollaborativeModelError(InputError):
    """A trained collaborative model cannot be used, or knows nothing of what it is asked."""


class LogFormatError(InputError):
    """A recorded purchase log cannot be read as it was described."""


class PhotoRefused(InputError):
    """A photo to search with cannot be used: ``reason`` is one word for a program, the text is for a person.

    >>> PhotoRefused("broken", "The picture ends too early. Action: send it again.").reason
    'broken'
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class RankerError(InputError):
    """A ranker file, the trees of the preset ``learned``, cannot be used."""


class SeasonError(InputError):
    """A file of season counts cannot be used."""


class SettingsError(InputError):
    """A setting is missing, out of range, or contradicts another one."""


class MissingExtra(InputError):
    """A package of an optional extra is not installed; the text holds the command that installs it."""
