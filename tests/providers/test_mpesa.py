"""M-Pesa without a network: what an account can do, and what goes out."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.x509.oid import NameOID

from app.errors import InvalidAmount
from app.money import Money
from app.providers.base import Customer, Kind, PayoutMethod, PayoutReference, RefundReference, RefundRequest
from app.providers.errors import NotSent, NotSupported, OutcomeUnknown, ReceiptMissing, RequestRejected
from app.providers.mpesa import MpesaProvider, bodies, credentials, values
from tests.support.mpesa import (
    CHARGE,
    CHARGE_REFERENCE,
    KES_100,
    REFERENCE,
    SETTINGS,
    TO_PHONE,
    URL,
    account,
    mpesa,
)


@pytest.mark.parametrize("phone", ["+254712345678", "254712345678", "0712345678"])
def test_a_phone_is_sent_as_twelve_digits(phone):
    assert values.msisdn(phone) == "254712345678"


def test_new_numbers_begin_with_01():
    assert values.msisdn("0110345678") == "254110345678"


@pytest.mark.parametrize(
    "phone",
    [
        None,
        "",
        "712345678",
        "+255712345678",
        "07123456789",
        "071234567",
        "+254812345678",
        "2547 12345678",
        "+٢٥٤712345678",
        "0712345678\n",
        "+0712345678",
    ],
)
def test_other_phones_are_refused_before_anything_is_sent(phone):
    with pytest.raises(RequestRejected):
        mpesa().check(KES_100, Customer(phone=phone))


@pytest.mark.parametrize("minor", [0, 99, 150, 25_000_100])
def test_amounts_mpesa_cannot_take(minor):
    with pytest.raises(InvalidAmount):
        mpesa().check(Money(minor, "KES"), Customer(phone="0712345678"))


def test_the_largest_amount_is_a_setting():
    small = mpesa(max_amount="150000")
    small.check(Money(15_000_000, "KES"), Customer(phone="0712345678"))
    with pytest.raises(InvalidAmount):
        small.check(Money(15_000_100, "KES"), Customer(phone="0712345678"))
    assert mpesa().capabilities.currencies["KES"].maximum == 25_000_000


@pytest.mark.parametrize("text", ["0", "-5", "many", "1e5", "250000.50"])
def test_an_unreadable_limit_is_a_configuration_error(text):
    with pytest.raises(ValueError, match="max_amount"):
        mpesa(max_amount=text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("shortcode", "paybill"),
        ("shortcode", "1743"),
        ("till", "12345678"),
        ("b2c_shortcode", "600 984"),
        ("b2b_shortcode", "６０００００"),
        ("b2c_command", "Salary"),
        ("till_receiver_type", "3"),
        ("pull_method", "PUT"),
        ("pull", "yes"),
    ],
)
def test_a_setting_daraja_would_refuse_every_time_is_a_configuration_error(name, text):
    with pytest.raises(ValueError, match=name):
        mpesa(**{name: text})
    mpesa(b2c_shortcode="", b2b_shortcode="", b2c_command="", till_receiver_type="", pull_method="get")


def test_only_shillings():
    with pytest.raises(RequestRejected):
        mpesa().check(Money(1000, "USD"), Customer(phone="0712345678"))
    with pytest.raises(RequestRejected):
        values.whole_shillings(Money(150, "KES"))


@pytest.mark.parametrize(
    ("sent", "minor"),
    [(1, 100), (Decimal("1.00"), 100), (Decimal("10500.00"), 1_050_000), ("190.00", 19_000), ("300", 30_000)],
)
def test_amounts_are_read_exactly(sent, minor):
    assert values.money_of(sent) == Money(minor, "KES")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (0, "0"),
        ("0", "0"),
        (1032, "1032"),
        ("1032", "1032"),
        (Decimal("17.0"), "17"),
        (" R000001 ", "R000001"),
        ("SFC_IC0003", "SFC_IC0003"),
        (None, None),
        ("", None),
        (True, None),
        ({}, None),
        (Decimal("0.5"), None),
    ],
)
def test_codes_come_as_numbers_and_as_texts(sent, code):
    assert values.code_of(sent) == code


def test_the_push_password_is_the_portals_own_sample():
    moment = datetime(2021, 6, 28, 6, 24, 8, tzinfo=UTC)  # 09:24:08 in Kenya
    password, timestamp = credentials.push_password("174379", SETTINGS["passkey"], moment)
    assert timestamp == "20210628092408"
    assert password == (
        "MTc0Mzc5YmZiMjc5ZjlhYTliZGJjZjE1OGU5N2RkNzFhNDY3Y2QyZTBjODkzMDU5YjEwZjc4ZTZiNzJhZGExZWQyYzkxOTIwMjEwNjI4MDkyNDA4"
    )


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


def certificate(private, until: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "apicrypt.example")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(7)
        .not_valid_before(until - timedelta(days=365))
        .not_valid_after(until)
        .sign(private, hashes.SHA256())
    )


def test_the_security_credential_opens_to_the_password_also_under_an_expired_certificate(key, tmp_path):
    expired = certificate(key, datetime(2016, 11, 11, tzinfo=UTC))
    pem = expired.public_bytes(serialization.Encoding.PEM)
    path = tmp_path / "SandBoxCertificate.cer"
    path.write_bytes(expired.public_bytes(serialization.Encoding.DER))
    for given in (pem.decode(), str(path)):
        owner = account(security_credential="", initiator_password="Sandbox#2026", certificate=given)
        sealed = base64.b64decode(credentials.security_credential(owner))
        assert len(sealed) == 256
        assert key.decrypt(sealed, PKCS1v15()) == b"Sandbox#2026"


def test_each_security_credential_is_another(key):
    public = key.public_key()
    assert credentials.encrypted("Sandbox#2026", public) != credentials.encrypted("Sandbox#2026", public)


def test_a_ready_security_credential_is_taken_as_it_is():
    assert credentials.security_credential(account()) == SETTINGS["security_credential"]


def test_certificates_that_do_not_serve(tmp_path):
    (tmp_path / "rubbish.cer").write_bytes(b"rubbish")
    curve = ec.generate_private_key(ec.SECP256R1())
    no_rsa = (
        certificate(curve, datetime(2030, 1, 1, tzinfo=UTC)).public_bytes(serialization.Encoding.PEM).decode()
    )
    for given in (
        str(tmp_path / "absent.cer"),
        str(tmp_path / "rubbish.cer"),
        no_rsa,
        "-----BEGIN NOTHING-----",
    ):
        with pytest.raises(RequestRejected):
            credentials.public_key(given)


def test_no_secret_shows_in_the_account():
    shown = repr(account())
    assert not any(SETTINGS[name] in shown for name in ("consumer_secret", "passkey", "security_credential"))
    secret = {setting.name for setting in MpesaProvider.settings if setting.is_secret}
    assert secret == {
        "consumer_key",
        "consumer_secret",
        "passkey",
        "initiator_password",
        "security_credential",
    }


def test_capabilities_follow_the_settings():
    full, bare = mpesa(pull="true").capabilities, mpesa(initiator="").capabilities
    assert full.has_statement and not mpesa().capabilities.has_statement
    assert full.can_refund and not bare.can_refund
    assert set(full.payouts) == {PayoutMethod.MPESA, PayoutMethod.TILL} and not bare.payouts
    assert not full.can_refund_partially and not full.is_resend_safe and not full.signs_callbacks
    assert full.inquiry_kinds == {Kind.PAYMENT} and not full.can_inquire_by_reference


def test_required_settings_are_those_of_a_push():
    required = {setting.name for setting in MpesaProvider.settings if setting.is_required}
    assert required == {"consumer_key", "consumer_secret", "shortcode", "passkey"}


def test_nothing_goes_out_without_an_operator():
    bare = mpesa(initiator="")
    with pytest.raises(RequestRejected):
        bare.refund(RefundRequest(REFERENCE, KES_100, CHARGE_REFERENCE, "Returned", URL))
    with pytest.raises(RequestRejected):
        bare.pay_out(TO_PHONE)


def test_what_cannot_be_done():
    provider = mpesa()
    with pytest.raises(NotSupported):
        provider.cancel(CHARGE_REFERENCE)
    with pytest.raises(NotSupported):
        provider.statement(datetime.now(UTC), datetime.now(UTC))
    with pytest.raises(NotSupported):
        provider.pay_out(replace(TO_PHONE, method=PayoutMethod.BANK, destination={"account_number": "1"}))


def test_a_connection_that_is_refused_sent_nothing():
    provider = mpesa()
    for call in (
        lambda: provider.charge(CHARGE),
        lambda: provider.pay_out(TO_PHONE),
        lambda: provider.inquire(CHARGE_REFERENCE),
    ):
        with pytest.raises(NotSent):
            call()


def test_a_push_to_a_paybill():
    body = bodies.push(account(), CHARGE, datetime(2021, 6, 28, 6, 24, 8, tzinfo=UTC))
    assert body.pop("Password").startswith("MTc0Mzc5")
    assert body == {
        "BusinessShortCode": "174379",
        "Timestamp": "20210628092408",
        "TransactionType": "CustomerPayBillOnline",
        "Amount": 100,
        "PartyA": "254708374149",
        "PartyB": "174379",
        "PhoneNumber": "254708374149",
        "CallBackURL": URL,
        "AccountReference": "AB12CD34EF56",
        "TransactionDesc": "Order 42 bfor",
    }


@pytest.mark.parametrize(
    ("theirs", "pull", "shown"),
    [
        ("INV77", "false", "INV77"),
        ("A12345678901", "false", "A12345678901"),
        ("A123456789012", "false", CHARGE.short_reference),
        ("INV 77", "false", CHARGE.short_reference),
        ("INV77", "true", CHARGE.short_reference),
    ],
    ids=["fits", "12 characters", "too long", "a space", "statement"],
)
def test_the_merchants_reference_is_shown_where_it_fits(theirs: str, pull: str, shown: str):
    """Not where lost pushes are looked for in the statement: other payments may have the same."""
    body = bodies.push(account(pull=pull), replace(CHARGE, merchant_reference=theirs), datetime.now(UTC))
    assert body["AccountReference"] == shown


def test_a_push_to_a_till():
    body = bodies.push(account(till="5555555"), CHARGE, datetime.now(UTC))
    assert (body["TransactionType"], body["BusinessShortCode"], body["PartyB"]) == (
        "CustomerBuyGoodsOnline",
        "174379",
        "5555555",
    )


def test_a_payout_to_a_phone_carries_our_reference():
    body = bodies.to_phone(account(), TO_PHONE)
    assert body["OriginatorConversationID"] == REFERENCE
    assert (body["InitiatorName"], body["CommandID"]) == ("testapi", "BusinessPayment")
    assert (body["PartyA"], body["PartyB"], body["Amount"]) == ("600984", "254708374149", 100)
    assert (body["ResultURL"], body["QueueTimeOutURL"]) == (
        f"{URL}?notice=payout",
        f"{URL}?notice=payout-timeout",
    )
    salary = bodies.to_phone(account(b2c_command="SalaryPayment", b2c_shortcode=""), TO_PHONE)
    assert (salary["CommandID"], salary["PartyA"]) == ("SalaryPayment", "174379")


def test_a_payout_to_a_till():
    request = replace(TO_PHONE, method=PayoutMethod.TILL, destination={"till_number": "247247"})
    body = bodies.to_till(account(), request)
    assert (body["CommandID"], body["PartyA"], body["PartyB"]) == ("BusinessBuyGoods", "600992", "247247")
    assert (body["SenderIdentifierType"], body["RecieverIdentifierType"]) == ("4", "4")
    assert bodies.to_till(account(till_receiver_type="2"), request)["RecieverIdentifierType"] == "2"
    assert body["Initiator"] == "testapi" and len(body["AccountReference"]) <= 13


@pytest.mark.parametrize(
    ("method", "destination", "minor"),
    [
        (PayoutMethod.MPESA, {"phone_number": "254708374149"}, 900),
        (PayoutMethod.MPESA, {"phone_number": "254708374149"}, 1050),
        (PayoutMethod.MPESA, {"phone_number": "254708374149"}, 25_000_100),
        (PayoutMethod.MPESA, {"phone_number": "255708374149"}, 1000),
        (PayoutMethod.MPESA, {}, 1000),
        (PayoutMethod.TILL, {"till_number": "24a247"}, 1000),
        (PayoutMethod.TILL, {}, 1000),
        (PayoutMethod.TILL, {"till_number": "247247"}, 25_000_100),
    ],
)
def test_payouts_that_are_refused_before_anything_is_sent(method, destination, minor):
    request = replace(TO_PHONE, method=method, destination=destination, amount=Money(minor, "KES"))
    with pytest.raises(RequestRejected):
        mpesa().pay_out(request)


def test_a_reversal_names_the_receipt():
    body = bodies.reversal(account(), RefundRequest(REFERENCE, KES_100, CHARGE_REFERENCE, "Returned", URL))
    assert (body["CommandID"], body["TransactionID"], body["Amount"]) == (
        "TransactionReversal",
        "NLJ7RT61SV",
        100,
    )
    assert (body["ReceiverParty"], body["RecieverIdentifierType"]) == ("174379", "11")
    assert body["ResultURL"] == f"{URL}?notice=refund"


@pytest.mark.parametrize(
    ("change", "charge_change", "error"),
    [
        ({"amount": Money(5000, "KES")}, {}, RequestRejected),
        ({"refunded_before": 100}, {}, RequestRejected),
        ({}, {"receipt": None}, ReceiptMissing),
    ],
)
def test_only_whole_payments_with_a_receipt_are_reversed(change, charge_change, error):
    request = RefundRequest(REFERENCE, KES_100, replace(CHARGE_REFERENCE, **charge_change), "Returned", URL)
    with pytest.raises(error):
        mpesa().refund(replace(request, **change))


def test_without_an_id_there_is_nothing_to_ask_by():
    provider, moment = mpesa(), datetime.now(UTC)
    till = PayoutReference(REFERENCE, KES_100, PayoutMethod.TILL, moment, None, URL)
    with pytest.raises(OutcomeUnknown):
        provider.inquire(replace(CHARGE_REFERENCE, provider_reference=None))
    with pytest.raises(OutcomeUnknown):
        provider.inquire_payout(till)
    with pytest.raises(OutcomeUnknown):
        provider.inquire_refund(RefundReference(REFERENCE, KES_100, CHARGE_REFERENCE, moment, None, 0, URL))


def test_a_callback_url_keeps_its_query():
    assert values.with_notice(f"{URL}?a=1&b=", "refund") == f"{URL}?a=1&b=&notice=refund"
