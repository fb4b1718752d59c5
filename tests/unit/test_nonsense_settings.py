"""Every setting validates itself: what it cannot mean ends the start with one sentence that names it."""

from __future__ import annotations

from typing import Final

import pytest

from app.config.loader import load
from app.config.setting import ConfigError, Setting
from app.config.settings import SETTINGS
from app.providers import PROVIDERS
from app.providers.settings import complete
from tests.support.servers import SECRETS

COMPLETE: Final = {**SECRETS, "GATEWAY_ENV": "demo", "DATABASE_URL": "postgresql://malipo_app@db/malipo"}

FREE_TEXT: Final = {"FLASK_APP", "FLASK_ENV", "VAR_DIR", "DEMO_HOSTS", "MAIL_SERVER"}
"""Beside secrets and the settings of provider accounts, which their adapters read."""

ZERO_IS_MEANT: Final = {
    "TRUSTED_PROXIES",  # none
    "PROVIDER_CALLS_AT_ONCE",  # a quarter of the threads
    "KYC_AUTO_VERIFY_S",  # at once
    "SANDBOX_AUTOPAY_S",
    "ALLOW_TEST_PROVIDERS",  # false
    "DIRECT_FUNDING",
    "BUSINESS_REGISTRATION",
    "PAYOUT_DESTINATION_COOLING_S",  # used at once
    "WITHDRAWAL_WAIT_S",  # answered at once
    "MAIL_USE_TLS",  # false
    "MAIL_USE_SSL",
}

NONSENSE: Final = (
    "?!", "*", "nonsense", "-1", "0.5.1", "nan", "inf", "-inf", "1e400", "9" * 25, "9" * 5000, "٣", "1_0",
    "null", "[]", "[1]", "{", "{}{", '{"EUR": null}', '{"EUR": 0}', '{"EUR": "-1"}', '{"EUR": "1e-200"}', '{"EUR": true}',
    '{"EURO": 1}', '{"USD": 2}', '{"a": {"KES": 5}}', '{"mpesa": {"KES": [-1, 0]}}', "[" * 100_000,
    "javascript:alert(1)", "ftp://pay.example.com", "//pay.example.com", "http://", "https://[::1", "http://a:0",
    "http://a:99999", "https://user:word@pay.example.com", "https://pay.example.com\\@evil.example", "https://a b/c",
    "https://shop.example.com/pay?#", "data:text/html,x", "redis://", "postgresql:", "127.0.0.", ":5000", "127.0.0.1:0",
    "127.0.0.1:65536", "[::1]5000", "unix:", "0/minute", "30/fortnight", "-5/minute", "30/", "30/minute;x", "\x07bell",
    "line\x00", "\udc80",
)  # fmt: skip


def _is_free(setting: Setting) -> bool:
    return setting.secret or setting.parse is str or setting.name in FREE_TEXT


def _refusal(setting: Setting, text: str) -> str | None:
    """The sentence; None when the setting takes the text. Any other error is the test's failure."""
    try:
        setting.read({setting.name: text}, "demo")
    except ConfigError as error:
        return str(error)
    return None


@pytest.mark.parametrize("text", ["?!", "[" * 100_000, "9" * 5000, "-1", "\udc80"])
def test_the_start_ends_with_a_sentence_that_names_the_setting(text: str) -> None:
    for setting in SETTINGS:
        if _is_free(setting) and setting.name != "GATEWAY_ENV":
            continue
        with pytest.raises(ConfigError, match=f"^{setting.name} cannot be read: ") as caught:
            load(COMPLETE | {setting.name: text})
        assert len(text) < 3 or text not in str(caught.value)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_nonsense_is_one_short_sentence(setting: Setting) -> None:
    """Breaks when it ends in a traceback, or is shown where it may be a secret, or is taken for a value."""
    refusals = {text: sentence for text in NONSENSE if (sentence := _refusal(setting, text)) is not None}
    for text, sentence in refusals.items():
        assert sentence.startswith(f"{setting.name} cannot be read: "), (text[:50], sentence)
        assert "\n" not in sentence and len(sentence) < 300, (text[:50], sentence)
        assert "user:word" not in sentence
    assert refusals.keys() >= {"\x07bell", "line\x00", "\udc80"}
    if not _is_free(setting):
        assert refusals.keys() >= {
            "?!",
            "*",
            "-1",
            "nan",
            "javascript:alert(1)",
            "ftp://pay.example.com",
            "[1]",
        }
        assert (_refusal(setting, "0") is None) == (setting.name in ZERO_IS_MEANT)


def test_numbers_and_urls_take_none_of_it() -> None:
    """Every text above is refused where it is not meant for another kind of setting."""
    taken = {
        setting.name: {text for text in NONSENSE if _refusal(setting, text) is None}
        for setting in SETTINGS
        if not _is_free(setting)
    }
    assert {name: texts for name, texts in taken.items() if texts} == {
        "PAYMENT_RETURN_URL": {"https://shop.example.com/pay?#"},
        "REDIS_URL": {"redis://"},
    }


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("CORS_ORIGINS", "https://Shop.example.com/, http://localhost:3000", ("https://shop.example.com", "http://localhost:3000")),
        ("CORS_ORIGINS", "https://shop.example.com:443", ("https://shop.example.com",)),
        ("PAYMENT_RETURN_URL", "https://shop.example.com/thanks?from=malipo", "https://shop.example.com/thanks?from=malipo"),
        ("PUBLIC_URL", "https://pay.example.com/malipo/", "https://pay.example.com/malipo"),
        ("SANDBOX_URL", "http://sandbox:4010", "http://sandbox:4010"),
        ("BIND", "0.0.0.0:8000, [::1]:8000, unix:/run/malipo.sock", "0.0.0.0:8000,[::1]:8000,unix:/run/malipo.sock"),
        ("DATABASE_URL", "postgresql://a:b@h1:5432,h2:5432/c", "postgresql://a:b@h1:5432,h2:5432/c"),
        ("RATE_LIMIT_AUTH", "5 per 10 minutes", "5 per 10 minutes"),
        ("DEMO_HOSTS", "Demo.Internal, 192.168.1.5, [::2],::3", ("demo.internal", "192.168.1.5", "[::2]", "[::3]")),
        ("KYC_AUTO_VERIFY_S", "off", None),
        ("SANDBOX_AUTOPAY_S", "0.5", 0.5),
    ],
)  # fmt: skip
def test_what_can_be_meant_is_taken(name: str, text: str, value: object) -> None:
    assert load(COMPLETE | {name: text})[name] == value


@pytest.mark.parametrize("text", ["*", "demo.internal:5000", "http://demo.internal", "a b", "[demo", "-"])
def test_demo_hosts_are_names_alone(text: str) -> None:
    with pytest.raises(ConfigError, match="DEMO_HOSTS cannot be read: expected names of hosts"):
        load(COMPLETE | {"DEMO_HOSTS": text})


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_s_setting_is_refused_by_its_adapter(name: str) -> None:
    """At the start the provider is switched off, by the sentence here: the others go on."""
    adapter = PROVIDERS[name]
    for setting in adapter.settings:
        if setting.parse is str:
            continue
        for text in NONSENSE:
            if text == "*":
                continue
            with pytest.raises(ValueError, match=f"setting {setting.name} cannot be read") as caught:
                complete(adapter.settings, {setting.name: text}, provider=name)
                pytest.fail(f"{setting.name} takes {text[:50]!r}")
            assert len(str(caught.value)) < 300
