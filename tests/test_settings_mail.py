"""Settings of mail and proxies: what is taken, and faults told without the value."""

import pytest

from gql_app import settings
from gql_app.lib.faults import CannotStart
from gql_app.mail.composing import mailer

SMTP = (
    "must be smtp://, smtps://, smtp+starttls:// or smtp+cleartext:// and a host, with every "
    "special character of the password written as %XX"
)
PAGE = "must be an http:// or https:// address without a fragment"
SERVICE = "must be an http:// or https:// address without a name, a password, a query or a fragment"
PROXIES = "must be addresses or networks, comma-separated, or *"
LINE = "must be one line of text that can be seen"
SENDER = "must be an e-mail address, or a name and one: Name <name@example.com>"


@pytest.fixture(autouse=True)
def _no_settings_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the settings that this machine happens to have."""
    for name in ("SMTP_URL", "TRUSTED_PROXIES", "RESET_URL", "MAIL_FROM", "DATABASE_URL"):
        monkeypatch.delenv(settings.PREFIX + name, raising=False)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SMTP_URL", "hush.example", SMTP),
        ("SMTP_URL", "smtp://", SMTP),
        ("SMTP_URL", "smtp://hush:hush@", SMTP),
        ("SMTP_URL", "http://hush:hush@mail.example", SMTP),
        ("SMTP_URL", "smtp://hush:hush@mail.example:hush", SMTP),
        ("SMTP_URL", "smtp://hush:hush@mail.example:70000", SMTP),
        ("SMTP_URL", "smtp://hush:hu/sh@mail.example", SMTP),
        ("SMTP_URL", "smtp://hush:1/hush@mail.example", SMTP),
        ("SMTP_URL", "smtp://hush:1?hush@mail.example", SMTP),
        ("SMTP_URL", "smtp://hush:1#hush@mail.example", SMTP),
        ("SMTP_URL", "smtp://hush:hush\u2100@mail.example", SMTP),
        ("SMTP_URL", "smtp://hush:hush@[hush]", SMTP),
        ("SMTP_URL", "smtp://[hush", SMTP),
        ("TRUSTED_PROXIES", "hush", PROXIES),
        ("TRUSTED_PROXIES", "10.0.0.1,,10.0.0.2", PROXIES),
        ("TRUSTED_PROXIES", "10.0.0.1, hush", PROXIES),
        ("TRUSTED_PROXIES", "10.0.0.0/33", PROXIES),
        ("TRUSTED_PROXIES", "10.0.0.256", PROXIES),
        ("TRUSTED_PROXIES", "10.1.2.3/8", PROXIES),
        ("TRUSTED_PROXIES", "10.0.0.1,*", PROXIES),
        ("RESET_URL", "hush.example/reset", PAGE),
        ("RESET_URL", "ftp://hush.example/reset", PAGE),
        ("RESET_URL", "javascript:hush", PAGE),
        ("RESET_URL", "https:///hush", PAGE),
        ("RESET_URL", "https://hush.example/#reset", PAGE),
        ("RESET_URL", "https://hush\u2100.example/", PAGE),
        ("RESET_URL", "https://[hush]/", PAGE),
        ("BREACHED_PASSWORDS_URL", "hush.example/v1", SERVICE),
        ("BREACHED_PASSWORDS_URL", "ftp://hush.example", SERVICE),
        ("BREACHED_PASSWORDS_URL", "https:///hush", SERVICE),
        ("BREACHED_PASSWORDS_URL", "https://hush.example:hush", SERVICE),
        ("BREACHED_PASSWORDS_URL", "https://hush:hush@hush.example", SERVICE),
        ("BREACHED_PASSWORDS_URL", "https://hush.example?key=hush", SERVICE),
        ("BREACHED_PASSWORDS_URL", "https://hush.example/?", SERVICE),
        ("BREACHED_PASSWORDS_URL", "https://hush.example/#hush", SERVICE),
        ("BREACHED_PASSWORDS_URL", "https://hush.example/hush hush", SERVICE),
        ("BREACHED_PASSWORDS_URL", "https://hush.example/\nhush", SERVICE),
        ("BREACHED_PASSWORDS_URL", "https://hüsh.example/", SERVICE),
        ("MAIL_FROM", "hush", SENDER),
        ("MAIL_FROM", "hush@", SENDER),
        ("MAIL_FROM", "Hush <hush@shop.example", SENDER),
        ("MAIL_FROM", "Hush hush@shop.example", SENDER),
        ("MAIL_FROM", "Hush <hush>", SENDER),
        ("MAIL_FROM", '"hush@shop.example"', SENDER),
        ("MAIL_FROM", "'hush@shop.example'", SENDER),
        ("REPLY_TO", 'Hush <"hush@shop.example">', SENDER),
        ("MAIL_FROM", "Hush <hush@shop.example>, <hush@shop.example>", SENDER),
        ("MAIL_FROM", "Hush\r\nBcc: hush <hush@shop.example>", SENDER),
        ("MAIL_FROM", "Hush\u2028Hush <hush@shop.example>", SENDER),
        ("MAIL_FROM", "hush@shop.example\r\nBcc: hush@shop.example", SENDER),
        ("REPLY_TO", "hush", SENDER),
        ("REPLY_TO", "Hush\r\nBcc: hush <hush@shop.example>", SENDER),
        ("PRODUCT_NAME", "Hush\nBcc: hush", LINE),
        ("PRODUCT_NAME", "Hush\u202ehush", LINE),
        ("LETTERS_DIR", "/nowhere/hush", "must be a folder that this account can find"),
    ],
)
def test_fault_names_the_variable_and_never_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(settings.PREFIX + name, value)
    with pytest.raises(CannotStart) as stopped:
        settings.load()
    (fault,) = stopped.value.faults
    assert fault.startswith(f"{settings.PREFIX}{name}: {words}")
    assert "hush" not in fault.lower()


def test_every_fault_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SMTP_URL", "TRUSTED_PROXIES", "RESET_URL", "MAIL_FROM"):
        monkeypatch.setenv(settings.PREFIX + name, "hush")
    with pytest.raises(CannotStart) as stopped:
        settings.load()
    assert sorted(stopped.value.faults) == [
        f"GQL_APP_MAIL_FROM: {SENDER}",
        f"GQL_APP_RESET_URL: {PAGE}",
        f"GQL_APP_SMTP_URL: {SMTP}",
        f"GQL_APP_TRUSTED_PROXIES: {PROXIES}",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_URL", "smtp://mail.example"),
        ("SMTP_URL", "smtps://ada%40shop.example:p%2Fw@mail.example:465"),
        ("SMTP_URL", "smtp+starttls://[2001:db8::1]:587"),
        ("TRUSTED_PROXIES", "*"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::/32,192.0.2.1"),
        ("RESET_URL", "https://shop.example/reset?lang=de"),
        ("BREACHED_PASSWORDS_URL", "https://shop.example"),
        ("BREACHED_PASSWORDS_URL", "http://[2001:db8::1]:8080/breached/v1/"),
        ("SMTP_URL", "smtp+cleartext://mail.example"),
        ("MAIL_FROM", "no-reply@shop.example"),
        ("MAIL_FROM", "Grüße vom Laden <no-reply@shop.example>"),
        ("MAIL_FROM", '"Shop, Inc." <no-reply@shop.example>'),
        ("REPLY_TO", "help@shop.example"),
        ("REPLY_TO", "Hilfe für Sie <help@shop.example>"),
        ("PRODUCT_NAME", "Müller & Söhne <2030> {{ x }}"),
    ],
)
def test_value_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(settings.PREFIX + name, value)
    chosen = settings.load()
    taken = getattr(chosen, name.lower())
    assert value == (taken.get_secret_value() if name == "SMTP_URL" else taken)
    assert mailer(chosen).open is (name == "SMTP_URL")


def test_mail_is_secret_and_off_unless_set(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings.load()
    assert (chosen.smtp_url, chosen.trusted_proxies, chosen.demo) == (None, None, False)
    assert chosen.mail_from == "no-reply@localhost"
    monkeypatch.setenv(f"{settings.PREFIX}SMTP_URL", "smtp://hush:hush@mail.example")
    assert "hush" not in repr(settings.load())
