"""Every tunable number of Trendloom: type, unit, range and the reason for its default, in one frozen tree.

It holds declarations only; nothing is read when this module is imported, and no other package reads the environment.
Read next: :mod:`config.loading` for where values come from, ``docs/settings.md`` for the same as a table.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

__all__ = [
    "CatalogueSettings",
    "DashboardSettings",
    "KafkaSettings",
    "ListsSettings",
    "RedisSettings",
    "Settings",
    "StateSettings",
    "WorkerSettings",
]

Seconds = Annotated[float, Field(gt=0)]
Port = Annotated[int, Field(ge=0, le=65_535)]


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)


class KafkaSettings(_Group):
    """The log: where it is, who we are there, and how it is read and written."""

    bootstrap: str = Field(
        "127.0.0.1:9092",
        description="HOST:PORT of one or more brokers, comma-separated; empty starts the embedded broker. "
        "Default: where a broker on this machine listens.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to speak to the brokers. Default: what a broker speaks until told otherwise."
    )
    sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "", description="How to log in; needed with a SASL_ security_protocol. Default: no login."
    )
    sasl_username: str = Field("", description="User name for SASL. Default: no login.")
    sasl_password: SecretStr = Field(SecretStr(""), description="Password for SASL; never printed. Default: no login.")
    ssl_cafile: str = Field("", description="PEM file of the authorities to trust. Default: the system's own.")
    ssl_certfile: str = Field("", description="PEM file of our own certificate. Default: none is shown.")
    ssl_keyfile: str = Field("", description="PEM file of that certificate's key. Default: none.")
    ssl_password: SecretStr = Field(
        SecretStr(""), description="Password of the key file; never printed. Default: none."
    )
    topic_prefix: str = Field(
        "",
        max_length=100,
        pattern=r"^[A-Za-z0-9._-]*$",
        description="Put before every topic's name, so that several Trendlooms can share one Kafka. Default: alone.",
    )
    partitions: int = Field(
        8,
        ge=1,
        le=1024,
        description="Partitions of purchases and recommendations when they are created: the greatest useful number of "
        "workers. Default: eight workers are more than one machine can feed.",
    )
    replication_factor: int = Field(
        1,
        ge=1,
        le=10,
        description="Copies of each partition when topics are created. Default: works with one broker; use 3 where "
        "there are three.",
    )
    group: str = Field(
        "trendloom",
        min_length=1,
        max_length=200,
        description="Consumer group of the workers. Default: the project's name.",
    )
    session_timeout_s: Seconds = Field(
        30.0,
        ge=6,
        le=300,
        description="Seconds of silence after which a worker's partitions go to another. Default: longer than a slow "
        "start or a long pause of the machine; brokers allow 6 to 1800.",
    )
    instance_id: str = Field(
        "",
        max_length=200,
        description="A name that this worker keeps over restarts (static membership): then a restart within "
        "session_timeout_s moves no partition. Default: none, as two workers must never share one.",
    )
    fetch_max_wait_ms: int = Field(
        100,
        ge=1,
        le=5_000,
        description="Milliseconds that a broker may wait for more records before it answers a fetch. Default: a "
        "quiet topic costs ten requests a second, and a purchase is answered at once anyhow.",
    )
    max_batch: int = Field(
        2_000,
        ge=1,
        le=10_000,
        description="Most purchases taken into one step of the state; only a backlog makes steps so large. Default: "
        "works a backlog off up to half as fast again as 500; what a crash has delivered twice grows with it.",
    )
    commit_interval_s: Seconds = Field(
        0.25,
        le=60,
        description="Seconds between offset commits. Default: bounds the lists that are published again after a "
        "crash to a quarter of a second's worth.",
    )
    compression: Literal["none", "gzip"] = Field(
        "none",
        description="Compression of what we produce. Default: none costs no CPU and needs no further package; gzip "
        "trades CPU for traffic.",
    )

    @model_validator(mode="after")
    def _login_is_whole(self) -> Self:
        if self.security_protocol.startswith("SASL_"):
            missing = [
                name
                for name, given in (
                    ("sasl_mechanism", self.sasl_mechanism),
                    ("sasl_username", self.sasl_username),
                    ("sasl_password", self.sasl_password.get_secret_value()),
                )
                if not given
            ]
            if missing:
                raise ValueError(f"security_protocol {self.security_protocol} needs {', '.join(missing)} as well")
        elif self.sasl_mechanism:
            raise ValueError(f"sasl_mechanism is set, but security_protocol {self.security_protocol} does not log in")
        if bool(self.ssl_certfile) != bool(self.ssl_keyfile):
            raise ValueError("ssl_certfile and ssl_keyfile come together")
        return self


class RedisSettings(_Group):
    """The state: where it is and how its keys are named."""

    url: str = Field(
        "redis://127.0.0.1:6379/0",
        pattern=r"^(rediss?://[^/\s]+(/\d+)?/?)?$",
        description="redis://HOST:PORT/DATABASE, or rediss:// for TLS; empty starts the embedded Valkey. A name and "
        "password in it are moved to username and password. Default: a Redis on this machine.",
    )
    username: str = Field("", description="ACL user. Default: Redis's own default user.")
    password: SecretStr = Field(SecretStr(""), description="Password of that user; never printed. Default: none.")
    ssl_ca_certs: str = Field("", description="PEM file of the authorities to trust. Default: the system's own.")
    ssl_certfile: str = Field("", description="PEM file of our own certificate. Default: none is shown.")
    ssl_keyfile: str = Field("", description="PEM file of that certificate's key. Default: none.")
    cluster: bool = Field(
        default=False, description="Whether the address is one node of a Redis Cluster. Default: one Redis."
    )
    key_prefix: str = Field(
        "tl",
        min_length=1,
        max_length=40,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="First part of every key, so that several Trendlooms can share one Redis. Default: short, as it is "
        "stored with each key.",
    )
    timeout_s: Seconds = Field(
        5.0,
        le=120,
        description="Seconds to wait for an answer before the call counts as failed. Default: a thousand times the "
        "usual answer, so only a real fault reaches it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _no_secret_in_the_url(cls, values: Any) -> Any:
        """Move ``redis://name:password@host`` apart, so that the address can be printed."""
        if not isinstance(values, dict) or not isinstance(values.get("url"), str) or "@" not in values["url"]:
            return values
        parts = urlsplit(values["url"])
        login, _, place = parts.netloc.rpartition("@")
        name, _, password = login.partition(":")
        found = {"username": unquote(name), "password": SecretStr(unquote(password))}
        rest = {key: value for key, value in values.items() if key not in {key for key in found if found[key]}}
        return {**found, **rest, "url": urlunsplit(parts._replace(netloc=place))}

    @model_validator(mode="after")
    def _certificate_is_whole(self) -> Self:
        if bool(self.ssl_certfile) != bool(self.ssl_keyfile):
            raise ValueError("ssl_certfile and ssl_keyfile come together")
        if (self.ssl_ca_certs or self.ssl_certfile) and not self.url.startswith("rediss://"):
            raise ValueError("the ssl_ settings need a url that begins with rediss://")
        return self


class StateSettings(_Group):
    """What is remembered, for how long, and within which bounds. The first five are fixed when a state is begun."""

    slow_half_life_s: Seconds = Field(
        86_400.0,
        ge=60,
        le=3.2e8,
        description="Seconds after which a purchase counts half for *popular*. Default: one day, a shop's rhythm.",
    )
    fast_half_life_s: Seconds = Field(
        3_600.0,
        ge=1,
        le=3.2e8,
        description="Seconds after which a purchase counts half for *rising*; below slow_half_life_s. Default: one "
        "hour, so that a trend shows within the hour.",
    )
    customer_shards: int = Field(
        64,
        ge=1,
        le=1024,
        description="Shards that customers are kept in. Default: enough for a cluster of 64 nodes; each costs a "
        "little work a batch.",
    )
    co_purchase_keep: int = Field(
        96,
        ge=8,
        le=1024,
        description="Neighbours of an item that are left when its co-purchases are cut back. Default: half as "
        "many again as candidates take, with room for change.",
    )
    co_purchase_limit: int = Field(
        128,
        ge=8,
        le=2048,
        description="Neighbours of an item at which its co-purchases are cut back; at least co_purchase_keep. "
        "Default: a third above keep, so that cutting back is rare.",
    )
    history_length: int = Field(
        20,
        ge=2,
        le=200,
        description="Purchases kept of each customer. Default: as far back as the weights of "
        "recent purchases look; more costs memory for every customer.",
    )
    customer_ttl_s: int = Field(
        34_560_000,
        ge=3_600,
        le=1_000_000_000,
        description="Seconds after which a customer who buys nothing is forgotten. Default: 400 days, so that "
        "somebody who shops once a season stays known.",
    )
    co_purchase_window: int = Field(
        20,
        ge=0,
        le=200,
        description="Earlier purchases of the same customer that a purchase is counted together with; at most "
        "history_length; 0 keeps no co-purchases, which the preset paper does not look at. Default: the whole "
        "history.",
    )
    max_items: int = Field(
        2_000_000,
        ge=100,
        le=50_000_000,
        description="Items that the state may hold; further ones are dead letters. Default: far above any shop's "
        "range, yet a sender gone wild cannot fill the memory.",
    )
    trendiness_prior_weight: float = Field(
        5.0,
        ge=0,
        le=1_000,
        description="Purchases that the population's mean counts for in a customer's trendiness. Default: of 5, 10 "
        "and 20 the one that predicted best on two logs.",
    )
    mirror_refresh_ms: int = Field(
        250,
        ge=10,
        le=60_000,
        description="Milliseconds between a worker's readings of what other workers counted. Default: popularity is "
        "never older than a quarter of a second.",
    )

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.fast_half_life_s >= self.slow_half_life_s:
            raise ValueError("fast_half_life_s must be below slow_half_life_s, or nothing can be seen rising")
        if self.co_purchase_keep > self.co_purchase_limit:
            raise ValueError("co_purchase_keep must not be above co_purchase_limit")
        if self.co_purchase_window > self.history_length:
            raise ValueError("co_purchase_window must not be above history_length")
        return self


class ListsSettings(_Group):
    """What a recommendation list is made of."""

    preset: str = Field(
        "balanced",
        pattern=r"^[a-z][a-z0-9_-]*$",
        description="Named weights of the relevance: balanced, paper, or learned (trees: lists.ranker). Default: "
        "balanced predicts best of those that need no training; paper is the published formula.",
    )
    ranker: str = Field(
        "",
        description="File of the trees that the preset learned lists by, made by `trendloom train ranker`; a running "
        "worker takes up a new version by itself. Default: empty, as other presets need none.",
    )
    linear_above_ms: float = Field(
        2_000.0,
        ge=0,
        le=3_600_000,
        description="Preset learned: when the newest purchase of a batch has waited longer than this, its lists are "
        "made by the linear form (preset balanced), and say so. Default: two seconds, then catching up matters more.",
    )
    top_k: int = Field(10, ge=1, le=200, description="Items in a list. Default: what fits a page and a phone.")
    new_items: int = Field(
        0,
        ge=0,
        le=20,
        description="At least so many places of each list for new items that look like what was just bought. Default: "
        "0, a new item has to win its place; docs/relevance.md tells what a place costs.",
    )
    new_item_limit: int = Field(
        1,
        ge=1,
        le=1_000,
        description="An item is new until it was bought so many times. Default: until its first sale.",
    )
    exclude_other_views: bool = Field(
        default=True,
        description="Whether other photos of the garment just bought stay out of the list. Default: nobody wants the "
        "same thing from its back.",
    )
    debounce_ms: int = Field(
        0,
        ge=0,
        le=30_000,
        description="Milliseconds within which a customer gets at most one list; the purchases between are covered by "
        "the next one. Default: 0, a list for every purchase.",
    )
    unknown_items: Literal["dead_letter", "count"] = Field(
        "dead_letter",
        description="What becomes of a purchase whose item the catalogue does not know: set aside, or counted without "
        "visual parts. Default: an unknown item usually is a sender's mistake.",
    )
    product_limit: int = Field(
        0,
        ge=0,
        le=200,
        description="At most so many variants of one product in a list; 0 is no cap. Default: none, since the next "
        "purchase often is another colour of the last.",
    )
    type_limit: int = Field(
        0,
        ge=0,
        le=200,
        description="At most so many items of one category in a list; 0 is no cap. Default: none, since customers "
        "often buy several of a kind.",
    )
    complement_items: int = Field(
        0,
        ge=0,
        le=200,
        description="At least so many places of a list for other categories than that of the item just bought, where "
        "there are enough. Default: none, what goes together is in the scores already.",
    )
    diversity_weight: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="What an entry loses for being like those above it, as a share of the best score; 0 is nothing. "
        "Default: none, docs/list-rules.md shows what it costs.",
    )
    pool_items: int = Field(
        50,
        ge=10,
        le=500,
        description="How many of a customer's best items these rules and the availability choose among. Default: "
        "enough for ten places, and little work.",
    )
    availability_file: str = Field(
        "",
        description='JSON file of what may be listed now, which a running worker follows: {"never": [...]}, '
        '{"only": [...]} or both, item ids. Default: empty, everything may be.',
    )
    availability_look_every_s: float = Field(
        1.0,
        gt=0,
        le=3_600,
        description="Seconds between looks for a change of the availability file. Default: what is sold out disappears "
        "within a second, and a look costs one file status.",
    )
    trained_model: str = Field(
        "",
        description="File of `trendloom train gmf` or another of its networks, for the part `trained` that weights may "
        "name. Default: empty, none.",
    )
    season_file: str = Field(
        "",
        description="File of `trendloom train season`: purchases of earlier years by week, for the part `season` that "
        "weights may name. Default: empty, none, because recency knew more on the log that was asked.",
    )
    weights: dict[str, float] = Field(
        default_factory=dict,
        description="Weights of parts that replace the preset's, such as { gender = 0.2, visual = 0.5 }; "
        "docs/relevance.md names the parts. Default: the preset as it is.",
    )


class CatalogueSettings(_Group):
    """The garments that are sold."""

    directory: str = Field(
        "",
        description="Directory made by `trendloom catalogue build`. Default: empty is the demo catalogue that ships.",
    )
    look_every_s: float = Field(
        5.0,
        ge=0,
        le=86_400,
        description="Seconds between looks of a running worker for a new version of the directory, which it then takes "
        "up without a restart; 0 never looks. Default: soon enough for a person, and a look costs one file status.",
    )


class WorkerSettings(_Group):
    """How a worker behaves when things go wrong or end."""

    health_port: Port = Field(
        0, description="Loopback port of the health page; 0 is none. Default: none, so that workers never collide."
    )
    retry_budget_s: Seconds = Field(
        60.0,
        le=3_600,
        description="Seconds that a worker goes on trying when Kafka or Redis does not answer, before it stops. "
        "Default: a restart of either takes less.",
    )
    drain_timeout_s: Seconds = Field(
        20.0,
        le=600,
        description="Seconds that a worker may take to finish what it has begun when asked to stop. Default: below "
        "the 30 s after which most supervisors kill.",
    )
    trends_interval_s: Seconds = Field(
        10.0, le=3_600, description="Seconds between trend snapshots. Default: calm enough to read on a page."
    )


class DashboardSettings(_Group):
    """The page with the garments' pictures."""

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address to listen on. Default: only this machine, as there is no login.",
    )
    port: Port = Field(8799, description="Port to listen on; 0 takes a free one. Default: rarely taken by others.")


class Settings(BaseSettings):
    """The whole tree. Build it with :func:`config.loading.load_settings`; a bare ``Settings()`` is the defaults.

    >>> Settings().lists.top_k
    10
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    state: StateSettings = StateSettings()
    lists: ListsSettings = ListsSettings()
    catalogue: CatalogueSettings = CatalogueSettings()
    worker: WorkerSettings = WorkerSettings()
    dashboard: DashboardSettings = DashboardSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from arguments alone; :mod:`config.loading` merges the sources where a reader can see it."""
        return (init_settings,)
