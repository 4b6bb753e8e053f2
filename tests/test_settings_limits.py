"""Settings of keys, hosts, origins and limits: what is taken, and faults told without the value."""

from pathlib import Path

import pytest

from gql_app import settings
from gql_app.lib.faults import CannotStart
from gql_app.lib.setting_types import MAX_NUMBER, MAX_SECONDS

DEFAULTS = {
    "database_connections": 10,
    "database_pool_timeout": 5,
    "read_max_lag_seconds": 5,
    "max_connections": 10_000,
    "max_connections_per_address": 256,
    "max_pending_body_bytes": 67_108_864,
    "receive_timeout": 20,
    "max_header_bytes": 16_384,
    "max_body_bytes": 262_144,
    "operation_timeout": 10,
    "max_document_length": 65_536,
    "max_tokens": 2_000,
    "max_operations": 20,
    "max_depth": 12,
    "max_aliases": 15,
    "max_root_fields": 20,
    "max_directives": 50,
    "max_spreads": 200,
    "max_cost": 20_000,
    "max_comparisons": 20_000,
}
UNLIMITED = (
    "access_token_ttl",
    "refresh_token_ttl",
    "session_max_age",
    "refresh_grace_seconds",
    "refresh_retry_seconds",
    "reauthentication_seconds",
)
"""Settings of seconds that have no end but that of time."""
FOLDER = "must be a folder that this account can find"
ORIGINS = (
    "must be origins as browsers send them, comma-separated: https://app.example.com or "
    "capacitor://localhost, in small letters, without a path or a slash at the end, with a "
    "port only if it is not the scheme's own"
)
STAR = (
    "must name every origin in full: * stands for one label (https://*.example.com) or for "
    "the port of this machine (http://localhost:*), and for nothing else"
)
PASSKEY_ORIGINS = (
    "must be origins as browsers send them, comma-separated: https:// and a domain, or "
    "http://localhost, with a port only if it is another: passkeys are of no IP address"
)
PASSKEY_DOMAIN = (
    "must be a domain in small letters, such as example.com or localhost, without a port: "
    "passkeys are of no IP address"
)
HEADERS = "must be names of headers, comma-separated: * stands for nothing here"
DOMAINS = "must be domains like local, test or home.arpa, comma-separated"
HOSTS = "must be host names without ports, comma-separated; *. stands for any below"


@pytest.fixture(autouse=True)
def _no_settings_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the settings that this machine happens to have."""
    for name in (
        *DEFAULTS,
        "special_domains",
        "database_url",
        "read_url",
        "secret_key",
        "secret_key_fallback",
        "factor_key",
        "factor_key_fallback",
        "keys_dir",
    ):
        monkeypatch.delenv(settings.PREFIX + name.upper(), raising=False)


def test_limits_have_sane_defaults() -> None:
    assert settings.load().model_dump().items() >= DEFAULTS.items()


@pytest.mark.parametrize("name", DEFAULTS)
def test_each_limit_is_a_setting_from_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(settings.PREFIX + name.upper(), "1")
    assert settings.load().model_dump()[name] == 1
    monkeypatch.setenv(settings.PREFIX + name.upper(), "0")
    with pytest.raises(CannotStart) as stopped:
        settings.load()
    (fault,) = stopped.value.faults
    assert fault.startswith(f"GQL_APP_{name.upper()}: ")


@pytest.mark.parametrize(
    ("name", "most"),
    [
        *((name, MAX_NUMBER) for name in DEFAULTS if name != "database_connections"),
        ("database_connections", 1_000),
        *((name, MAX_NUMBER) for name in UNLIMITED),
        ("login_window_seconds", MAX_SECONDS),
    ],
)
def test_number_is_none_that_time_has_no_room_for(
    monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    variable = settings.PREFIX + name.upper()
    monkeypatch.setenv(variable, str(most))
    assert settings.load().model_dump()[name] == most
    monkeypatch.setenv(variable, str(most + 1))
    with pytest.raises(CannotStart) as stopped:
        settings.load()
    (fault,) = stopped.value.faults
    assert fault.startswith(f"{variable}: ")


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_port_to_watch_is_one(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("GQL_APP_MANAGEMENT_PORT", port)
    with pytest.raises(CannotStart) as stopped:
        settings.load()
    assert [fault.partition(": ")[0] for fault in stopped.value.faults] == [
        "GQL_APP_MANAGEMENT_PORT"
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_HOSTS", "example.com"),
        ("ALLOWED_HOSTS", "example.com, *.example.org,localhost,127.0.0.1,[::1]"),
        ("ALLOWED_ORIGINS", "https://app.example.com"),
        ("ALLOWED_ORIGINS", "https://app.example.com:8443, http://localhost:3000"),
        ("ALLOWED_ORIGINS", "http://[::1]:3000,https://xn--bcher-kva.example,http://127.0.0.1"),
        ("ALLOWED_ORIGINS", "capacitor://localhost, ionic://localhost, tauri://localhost"),
        ("ALLOWED_ORIGINS", "chrome-extension://abcdefghijklmnopabcdefghijklmnop"),
        ("ALLOWED_ORIGINS", "https://*.example.com,https://*.example.com:8443"),
        ("ALLOWED_ORIGINS", "http://localhost:*,http://127.0.0.1:*,http://[::1]:*"),
        ("ALLOWED_ORIGINS", "http://*.localhost:*,http://*.localhost:3000"),
        ("ALLOWED_HEADERS", "X-Tenant, x-datadog-trace-id,b3"),
        ("PASSKEY_RP_ID", "example.com"),
        ("PASSKEY_RP_ID", "localhost"),
        ("PASSKEY_ORIGINS", "https://example.com, https://www.example.com:8443"),
        ("PASSKEY_ORIGINS", "http://localhost:8000,http://localhost,https://localhost"),
    ],
)
def test_hosts_and_origins_are_taken(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(settings.PREFIX + name, value)
    listed = tuple(part.strip() for part in value.split(","))
    taken = value if name == "PASSKEY_RP_ID" else listed
    assert settings.load().model_dump()[name.lower()] == taken


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SECRET_KEY_FALLBACK", "hush", "must be at least 32 bytes long, not 4"),
        ("KEYS_DIR", "hush", FOLDER),
        ("KEYS_DIR", __file__, FOLDER),
        ("ALLOWED_HOSTS", "*", HOSTS),
        ("ALLOWED_HOSTS", "hush.example:8000", HOSTS),
        ("ALLOWED_HOSTS", "https://hush.example", HOSTS),
        ("ALLOWED_HOSTS", "example.com,,hush.example", HOSTS),
        ("ALLOWED_HOSTS", "*.*.hush.example", HOSTS),
        ("ALLOWED_HOSTS", "hush..example", HOSTS),
        ("ALLOWED_HOSTS", "[hush:hush]", HOSTS),
        ("ALLOWED_HOSTS", "[0:0::1]", HOSTS),
        ("ALLOWED_ORIGINS", "*", STAR),
        ("ALLOWED_ORIGINS", "https://*.example", STAR),
        ("ALLOWED_ORIGINS", "https://*.example:8443", STAR),
        ("ALLOWED_ORIGINS", "https://*.*.hush.example", STAR),
        ("ALLOWED_ORIGINS", "https://app-*.hush.example", STAR),
        ("ALLOWED_ORIGINS", "https://app.*.hush.example", STAR),
        ("ALLOWED_ORIGINS", "https://hush.example:*", STAR),
        ("ALLOWED_ORIGINS", "https://*.hush.example:*", STAR),
        ("ALLOWED_ORIGINS", "*://hush.example", STAR),
        ("ALLOWED_ORIGINS", "chrome-extension://*", STAR),
        ("ALLOWED_ORIGINS", "capacitor://*.hush.example", STAR),
        ("ALLOWED_ORIGINS", "capacitor://localhost:*", STAR),
        ("ALLOWED_ORIGINS", "https://*.hush.example/", ORIGINS),
        ("ALLOWED_ORIGINS", "https://*.hush!.example", ORIGINS),
        ("ALLOWED_ORIGINS", "https://*.HUSH.example", ORIGINS),
        ("ALLOWED_ORIGINS", "https://*.hush.example:443", ORIGINS),
        ("ALLOWED_ORIGINS", "https://app.example,https://*", STAR),
        ("ALLOWED_ORIGINS", "https://hush.example:443", ORIGINS),
        ("ALLOWED_ORIGINS", "http://hush.example:80", ORIGINS),
        ("ALLOWED_ORIGINS", "https://hush.example:08443", ORIGINS),
        ("ALLOWED_ORIGINS", "https://h\u00fcsh.example", ORIGINS),
        ("ALLOWED_ORIGINS", "https://hush example", ORIGINS),
        ("ALLOWED_ORIGINS", "https://[0:0::1]", ORIGINS),
        ("ALLOWED_ORIGINS", "null", ORIGINS),
        ("ALLOWED_ORIGINS", "hush.example", ORIGINS),
        ("ALLOWED_ORIGINS", "https://hush.example/", ORIGINS),
        ("ALLOWED_ORIGINS", "https://HUSH.example", ORIGINS),
        ("ALLOWED_ORIGINS", "https://hush@app.example", ORIGINS),
        ("ALLOWED_ORIGINS", "https://hush.example:port", ORIGINS),
        ("ALLOWED_ORIGINS", "ftp://hush.example", ORIGINS),
        ("ALLOWED_ORIGINS", "wss://hush.example", ORIGINS),
        ("ALLOWED_ORIGINS", "file://", ORIGINS),
        ("ALLOWED_ORIGINS", "file://hush.example", ORIGINS),
        ("ALLOWED_ORIGINS", "capacitor://", ORIGINS),
        ("ALLOWED_ORIGINS", "capacitor:localhost", ORIGINS),
        ("ALLOWED_ORIGINS", "Capacitor://localhost", ORIGINS),
        ("ALLOWED_ORIGINS", "1hush://localhost", ORIGINS),
        *(
            ("PASSKEY_RP_ID", domain, PASSKEY_DOMAIN)
            for domain in ("https://hush.example", "hush.example:443", "HUSH.example", "127.0.0.1")
        ),
        *(("PASSKEY_RP_ID", domain, PASSKEY_DOMAIN) for domain in ("::1", "h\u00fcsh", "hush.")),
        *(
            ("PASSKEY_ORIGINS", f"https://app.example,{origin}", PASSKEY_ORIGINS)
            for origin in (
                "",
                "hush.example",
                "http://hush.example",
                "https://hush.example/",
                "https://hush.example:443",
                "https://HUSH.example",
                "https://*.hush.example",
                "http://localhost:*",
                "http://localhost:80",
                "http://127.0.0.1:8000",
                "https://[::1]",
                "https://hush@app.example",
                "https://app.example:hush",
                "android:apk-key-hash:hush",
                "null",
            )
        ),
        (
            "PASSKEY_ORIGINS",
            "https://app.example.com,https://www.example.com",
            "are of several domains; set GQL_APP_PASSKEY_RP_ID to the one that they are below",
        ),
        ("ALLOWED_HEADERS", "*", HEADERS),
        ("ALLOWED_HEADERS", "X-Tenant,", HEADERS),
        ("ALLOWED_HEADERS", "X-Tenant: hush", HEADERS),
        ("ALLOWED_HEADERS", "X-T\u00e9nant", HEADERS),
        ("ALLOWED_ORIGINS", "https://app.example,", ORIGINS),
    ],
)
def test_fault_is_told_in_words_without_the_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(settings.PREFIX + name, value)
    with pytest.raises(CannotStart) as stopped:
        settings.load()
    assert stopped.value.faults == (f"GQL_APP_{name}: {words}",)


@pytest.mark.parametrize(
    "origin", ["https://example.org", "https://notexample.com", "https://com", "http://localhost"]
)
def test_origins_of_passkeys_are_of_their_domain(
    monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    monkeypatch.setenv("GQL_APP_PASSKEY_RP_ID", "example.com")
    monkeypatch.setenv("GQL_APP_PASSKEY_ORIGINS", "https://example.com,https://www.example.com")
    assert settings.load().passkey_pages == ("https://example.com", "https://www.example.com")
    monkeypatch.setenv("GQL_APP_PASSKEY_ORIGINS", f"https://example.com,{origin}")
    with pytest.raises(CannotStart) as stopped:
        settings.load()
    words = "must be on the domain of GQL_APP_PASSKEY_RP_ID, or below it"
    assert stopped.value.faults == (f"GQL_APP_PASSKEY_ORIGINS: {words}",)


def test_both_faults_of_passkeys_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GQL_APP_PASSKEY_RP_ID", "127.0.0.1")
    monkeypatch.setenv("GQL_APP_PASSKEY_ORIGINS", "http://127.0.0.1")
    with pytest.raises(CannotStart) as stopped:
        settings.load()
    assert [fault.partition(": ")[0] for fault in stopped.value.faults] == [
        "GQL_APP_PASSKEY_RP_ID",
        "GQL_APP_PASSKEY_ORIGINS",
    ]


def test_other_secret_and_keys_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GQL_APP_SECRET_KEY_FALLBACK", "the one that was" * 2)
    monkeypatch.setenv("GQL_APP_KEYS_DIR", str(tmp_path))
    loaded = settings.load()
    assert loaded.fallback_bytes == b"the one that was" * 2
    assert loaded.keys_dir == tmp_path


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("local", ("local",)),
        ("Local, home.ARPA ,test", ("local", "home.arpa", "test")),
        ("office.internal-net.local", ("office.internal-net.local",)),
    ],
)
def test_special_domains_are_named_in_any_case(
    monkeypatch: pytest.MonkeyPatch, given: str, taken: tuple[str, ...]
) -> None:
    assert settings.load().special_domains == ()
    monkeypatch.setenv("GQL_APP_SPECIAL_DOMAINS", given)
    assert settings.load().special_domains == taken


@pytest.mark.parametrize(
    "given", [".local", "local,", "a b", "user@local", "*.local", "l\u00f6cal"]
)
def test_special_domain_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("GQL_APP_SPECIAL_DOMAINS", given)
    with pytest.raises(CannotStart) as stopped:
        settings.load()
    assert list(stopped.value.faults) == [f"GQL_APP_SPECIAL_DOMAINS: {DOMAINS}"]
