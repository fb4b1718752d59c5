"""M-Pesa without a network: what goes out, what codes mean, what callbacks say."""

from __future__ import annotations

import base64
import json
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
from app.providers.base import (
    Account,
    Callback,
    ChargeRequest,
    Customer,
    Handle,
    Kind,
    PayoutHandle,
    PayoutMethod,
    PayoutRequest,
    RefundHandle,
    RefundRequest,
    State,
)
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    InvalidCallback,
    InvalidRequest,
    NotSupported,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)
from app.providers.mpesa import MpesaProvider, bodies, credentials, statuses, values
from tests.support.providers import make_provider

SETTINGS = {
    "consumer_key": "sandbox-consumer-key",
    "consumer_secret": "sandbox-consumer-secret",
    "shortcode": "174379",
    "passkey": "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919",
    "initiator": "testapi",
    "security_credential": "c2FuZGJveC1zZWN1cml0eS1jcmVkZW50aWFs",
    "b2c_shortcode": "600984",
    "b2b_shortcode": "600992",
}
URL = "http://127.0.0.1:5000/callbacks/mpesa/secret-path"
REFERENCE = "0198c0de-0000-7000-8000-000000000001"
KES_100 = Money(10_000, "KES")
PUSH = ChargeRequest(
    REFERENCE, "AB12CD34EF56", KES_100, Customer(phone="+254708374149"), URL, "http://127.0.0.1:5000/done",
    description="Order #42 <b>for</b> Jane",
)  # fmt: skip
CHARGE = Handle(
    REFERENCE, "AB12CD34EF56", KES_100, datetime(2026, 1, 1, tzinfo=UTC), "ws_CO_1", "NLJ7RT61SV", URL
)
PAYOUT = PayoutRequest(
    REFERENCE, KES_100, PayoutMethod.MPESA, {"phone_number": "254708374149"}, URL, "Winnings"
)


def mpesa(**settings: str) -> MpesaProvider:
    return make_provider(MpesaProvider, **(SETTINGS | settings))


def account(**settings: str) -> Account:
    return mpesa(**settings).account


def read(body: object, notice: str = ""):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    query = {"notice": notice} if notice else {}
    return mpesa().read_callback(Callback("POST", {"content-type": "text/plain"}, query, raw))


# --- phones, amounts, texts


@pytest.mark.parametrize("phone", ["+254712345678", "254712345678", "0712345678"])
def test_a_phone_is_sent_as_twelve_digits(phone):
    assert values.msisdn(phone) == "254712345678"


def test_new_numbers_begin_with_01():
    assert values.msisdn("0110345678") == "254110345678"


@pytest.mark.parametrize(
    "phone",
    [
        None, "", "712345678", "+255712345678", "07123456789", "071234567", "+254812345678", "2547 12345678",
        "+٢٥٤712345678", "0712345678\n", "+0712345678",
    ],
)  # fmt: skip
def test_other_phones_are_refused_before_anything_is_sent(phone):
    with pytest.raises(InvalidRequest):
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


def test_only_shillings():
    with pytest.raises(InvalidRequest):
        mpesa().check(Money(1000, "USD"), Customer(phone="0712345678"))
    with pytest.raises(InvalidRequest):
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
        (0, "0"), ("0", "0"), (1032, "1032"), ("1032", "1032"), (Decimal("17.0"), "17"), (" R000001 ", "R000001"),
        ("SFC_IC0003", "SFC_IC0003"), (None, None), ("", None), (True, None), ({}, None), (Decimal("0.5"), None),
    ],
)  # fmt: skip
def test_codes_come_as_numbers_and_as_texts(sent, code):
    assert values.code_of(sent) == code


# --- credentials


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
        with pytest.raises(InvalidRequest):
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


# --- what an account can do


def test_capabilities_follow_the_settings():
    full, bare = mpesa(pull="true").capabilities, mpesa(initiator="").capabilities
    assert full.has_statement and not mpesa().capabilities.has_statement
    assert full.can_refund and not bare.can_refund
    assert set(full.payouts) == {PayoutMethod.MPESA, PayoutMethod.TILL} and not bare.payouts
    assert not full.can_refund_partially and not full.is_resend_safe and not full.signs_callbacks
    assert full.asks == {Kind.PAYMENT} and not full.can_ask_by_reference


def test_required_settings_are_those_of_a_push():
    required = {setting.name for setting in MpesaProvider.settings if setting.is_required}
    assert required == {"consumer_key", "consumer_secret", "shortcode", "passkey"}


def test_nothing_goes_out_without_an_operator():
    bare = mpesa(initiator="")
    with pytest.raises(InvalidRequest):
        bare.refund(RefundRequest(REFERENCE, KES_100, CHARGE, "Returned", URL))
    with pytest.raises(InvalidRequest):
        bare.pay_out(PAYOUT)


def test_what_cannot_be_done():
    provider = mpesa()
    with pytest.raises(NotSupported):
        provider.cancel(CHARGE)
    with pytest.raises(NotSupported):
        provider.statement(datetime.now(UTC), datetime.now(UTC))
    with pytest.raises(NotSupported):
        provider.pay_out(replace(PAYOUT, method=PayoutMethod.BANK, destination={"account_number": "1"}))


def test_a_connection_that_is_refused_sent_nothing():
    provider = mpesa()
    for call in (
        lambda: provider.charge(PUSH),
        lambda: provider.pay_out(PAYOUT),
        lambda: provider.inquire(CHARGE),
    ):
        with pytest.raises(Unavailable):
            call()


# --- bodies


def test_a_push_to_a_paybill():
    body = bodies.push(account(), PUSH, datetime(2021, 6, 28, 6, 24, 8, tzinfo=UTC))
    assert body.pop("Password").startswith("MTc0Mzc5")
    assert body == {
        "BusinessShortCode": "174379", "Timestamp": "20210628092408", "TransactionType": "CustomerPayBillOnline",
        "Amount": 100, "PartyA": "254708374149", "PartyB": "174379", "PhoneNumber": "254708374149",
        "CallBackURL": URL, "AccountReference": "AB12CD34EF56", "TransactionDesc": "Order 42 bfor",
    }  # fmt: skip


def test_a_push_to_a_till():
    body = bodies.push(account(till="5555555"), PUSH, datetime.now(UTC))
    assert (body["TransactionType"], body["BusinessShortCode"], body["PartyB"]) == (
        "CustomerBuyGoodsOnline", "174379", "5555555",
    )  # fmt: skip


def test_a_payout_to_a_phone_carries_our_reference():
    body = bodies.to_phone(account(), PAYOUT)
    assert body["OriginatorConversationID"] == REFERENCE
    assert (body["InitiatorName"], body["CommandID"]) == ("testapi", "BusinessPayment")
    assert (body["PartyA"], body["PartyB"], body["Amount"]) == ("600984", "254708374149", 100)
    assert (body["ResultURL"], body["QueueTimeOutURL"]) == (
        f"{URL}?notice=payout",
        f"{URL}?notice=payout-timeout",
    )
    salary = bodies.to_phone(account(b2c_command="SalaryPayment", b2c_shortcode=""), PAYOUT)
    assert (salary["CommandID"], salary["PartyA"]) == ("SalaryPayment", "174379")


def test_a_payout_to_a_till():
    request = replace(PAYOUT, method=PayoutMethod.TILL, destination={"till_number": "247247"})
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
    request = replace(PAYOUT, method=method, destination=destination, amount=Money(minor, "KES"))
    with pytest.raises(InvalidRequest):
        mpesa().pay_out(request)


def test_a_reversal_names_the_receipt():
    body = bodies.reversal(account(), RefundRequest(REFERENCE, KES_100, CHARGE, "Returned", URL))
    assert (body["CommandID"], body["TransactionID"], body["Amount"]) == (
        "TransactionReversal",
        "NLJ7RT61SV",
        100,
    )
    assert (body["ReceiverParty"], body["RecieverIdentifierType"]) == ("174379", "11")
    assert body["ResultURL"] == f"{URL}?notice=refund"


@pytest.mark.parametrize(
    ("change", "charge_change"),
    [({"amount": Money(5000, "KES")}, {}), ({"refunded_before": 100}, {}), ({}, {"receipt": None})],
)
def test_only_whole_payments_with_a_receipt_are_reversed(change, charge_change):
    request = RefundRequest(REFERENCE, KES_100, replace(CHARGE, **charge_change), "Returned", URL)
    with pytest.raises(InvalidRequest):
        mpesa().refund(replace(request, **change))


def test_without_an_id_there_is_nothing_to_ask_by():
    provider, moment = mpesa(), datetime.now(UTC)
    till = PayoutHandle(REFERENCE, KES_100, PayoutMethod.TILL, moment, None, URL)
    with pytest.raises(OutcomeUnknown):
        provider.inquire(replace(CHARGE, provider_reference=None))
    with pytest.raises(OutcomeUnknown):
        provider.inquire_payout(till)
    with pytest.raises(OutcomeUnknown):
        provider.inquire_refund(RefundHandle(REFERENCE, KES_100, CHARGE, moment, None, 0, URL))


def test_a_callback_url_keeps_its_query():
    assert values.with_notice(f"{URL}?a=1&b=", "refund") == f"{URL}?a=1&b=&notice=refund"


# --- tables


def test_the_table_of_result_codes():
    failed = {
        "1", "2", "3", "4", "8", "11", "17", "18", "20", "21", "24", "25", "26", "29", "1001", "1019", "1025", "1037",
        "2001", "2006", "2028", "2040", "4001", "8006", "9999", "SFC_IC0003", "R000002",
    }  # fmt: skip
    by_state = {code: known.state for code, known in statuses.RESULT_CODES.items()}
    assert {code for code, state in by_state.items() if state is State.FAILED} == failed
    assert {code for code, state in by_state.items() if state is None} == {"15", "R000001"}
    rest = {code: state for code, state in by_state.items() if state and code not in failed}
    assert rest == {"0": State.SUCCEEDED, "1032": State.CANCELLED, "4999": State.PENDING}


def test_an_unknown_result_code_fails_when_told_and_is_unclear_when_asked():
    assert statuses.state_when_told("7777") is State.FAILED
    assert statuses.state_when_asked("7777", "Something new") is None
    assert statuses.state_when_asked("7777", "The transaction is still under processing") is State.PENDING


def test_codes_that_do_not_tell_whether_money_moved_never_fail():
    assert statuses.state_when_told("15") is State.PENDING
    assert statuses.state_when_told("R000001") is State.PENDING
    assert statuses.state_when_asked("26", "System busy") is None


def test_the_words_of_a_status_result():
    words = {word: state.value for word, state in statuses.TRANSACTION_STATUSES.items()}
    assert words == {
        "completed": "succeeded", "reversed": "reversed", "failed": "failed", "declined": "failed",
        "cancelled": "failed", "expired": "failed", "pending": "pending", "authorized": "pending",
        "initiated": "pending",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("http_status", "code", "message", "error"),
    [
        (400, "400.002.02", "Bad Request - Invalid BusinessShortCode", InvalidRequest),
        (400, "400.002.05", "Invalid Request Payload", InvalidRequest),
        (404, "404.001.01", "Resource not found", InvalidRequest),
        (405, "405.001", "Method Not Allowed", InvalidRequest),
        (500, "500.001.1001", "Unable to lock subscriber, a transaction is in process", Declined),
        (500, "500.001.1001", "Merchant does not exist", InvalidRequest),
        (500, "500.001.1001", "[MerchantValidate] - Wrong credentials", AuthFailed),
        (500, "500.001.1001", "The transaction is being processed", OutcomeUnknown),
        (500, "500.001.1001", "", OutcomeUnknown),
        (500, "500.002.1001", "Duplicate OriginatorConversationID", DuplicateReference),
        (500, "500.003.02", "System is busy. Please try again in few minutes.", RateLimited),
        (500, "500.003.02", "Error Occurred: Spike Arrest Violation", RateLimited),
        (500, "500.003.03", "Quota Violation", RateLimited),
        (500, "500.003.1001", "Internal Server Error", OutcomeUnknown),
        (400, "400.999.99", "A code nobody knows", InvalidRequest),
        (500, "500.999.99", "A code nobody knows", OutcomeUnknown),
        (400, "", "", OutcomeUnknown),
        (403, "", "", OutcomeUnknown),
        (429, "", "", RateLimited),
        (503, "500.003.02", "System is busy. Please try again in few minutes.", OutcomeUnknown),
        (502, "400.002.02", "Bad Request", OutcomeUnknown),
        (503, "", "", OutcomeUnknown),
        (302, "", "", OutcomeUnknown),
    ],
)
def test_the_table_of_errors(http_status, code, message, error):
    assert statuses.api_error(http_status, code, message).error is error


# --- callbacks


def pushed(code: object = 0, items: object = None, **more: object) -> dict:
    push = {
        "MerchantRequestID": "29115-34620561-1", "CheckoutRequestID": "ws_CO_191220191020363925", "ResultCode": code,
        "ResultDesc": "The service request is processed successfully.", **more,
    }  # fmt: skip
    if items is not None:
        push["CallbackMetadata"] = {"Item": items}
    return {"Body": {"stkCallback": push}}


PAID = [
    {"Name": "PhoneNumber", "Value": 254708374149},
    {"Name": "Balance"},
    {"Name": "MpesaReceiptNumber", "Value": "NLJ7RT61SV"},
    {"Name": "TransactionDate", "Value": 20191219102115},
    {"Name": "Amount", "Value": 1.00},
]


def test_a_push_that_was_paid():
    event = read(pushed(0, PAID))
    assert (event.kind, event.provider_reference, event.is_verified) == (
        Kind.PAYMENT, "ws_CO_191220191020363925", False,
    )  # fmt: skip
    claim = event.claim
    assert (claim.state, claim.receipt, claim.amount) == (State.SUCCEEDED, "NLJ7RT61SV", Money(100, "KES"))
    assert claim.response["Amount"] == "1.0"
    assert "254708374149" not in json.dumps(dict(claim.response))
    assert event.event_id == "push:ws_CO_191220191020363925:0" == read(pushed("0", PAID)).event_id


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (1032, State.CANCELLED),
        ("1037", State.FAILED),
        (1, State.FAILED),
        ("4999", State.PENDING),
        (88, State.FAILED),
    ],
)
def test_a_push_that_was_not_paid_never_has_a_receipt(code, state):
    event = read(pushed(code, PAID))
    assert (event.claim.state, event.claim.receipt, event.claim.amount) == (state, None, None)
    assert event.claim.code == str(code) and event.event_id.endswith(f":{code}")


@pytest.mark.parametrize(
    "items", [None, [], {}, {"Name": "Amount", "Value": 5}, [1, None, {"Name": 3}], "text"]
)
def test_odd_metadata_is_survived(items):
    assert read(pushed(0, items)).claim.state is State.SUCCEEDED


def test_one_item_that_is_no_list():
    assert read(pushed(0, {"Name": "Amount", "Value": 5})).claim.amount == Money(500, "KES")


B2C_PARAMETERS = [
    {"Key": "TransactionAmount", "Value": 10},
    {"Key": "TransactionReceipt", "Value": "SG632NMUAB"},
    {"Key": "ReceiverPartyPublicName", "Value": "254705912645 - JOHN DOE"},
    {"Key": "TransactionCompletedDateTime", "Value": "06.07.2024 22:48:52"},
    {"Key": "B2CUtilityAccountAvailableFunds", "Value": 8959269.60},
]


def result(code: object = 0, parameters: object = None, **more: object) -> dict:
    body = {
        "ResultType": 0, "ResultCode": code, "ResultDesc": "The service request is processed successfully.",
        "OriginatorConversationID": "29112-34801843-1", "ConversationID": "AG_20240706_1", "TransactionID": "SG632NMUAB",
        "ReferenceData": {"ReferenceItem": {"Key": "QueueTimeoutURL", "Value": "https://example"}}, **more,
    }  # fmt: skip
    if parameters is not None:
        body["ResultParameters"] = {"ResultParameter": parameters}
    return {"Result": body}


def test_a_payout_to_a_phone_that_was_made():
    for notice in ("", "payout"):
        event = read(result(0, B2C_PARAMETERS), notice)
        assert (event.kind, event.event_type) == (Kind.PAYOUT, "payout.result")
        assert (event.provider_reference, event.reference) == ("AG_20240706_1", "29112-34801843-1")
        claim = event.claim
        assert (claim.state, claim.receipt, claim.amount) == (
            State.SUCCEEDED,
            "SG632NMUAB",
            Money(1000, "KES"),
        )
        assert "JOHN" not in json.dumps(dict(claim.response))


def test_a_payout_to_a_till_that_was_made():
    parameters = [
        {"Key": "DebitAccountBalance", "Value": "{Amount={CurrencyCode=KES, BasicAmount=6186.83}}"},
        {"Key": "Amount", "Value": "190.00"},
        {"Key": "DebitPartyAffectedAccountBalance", "Value": "Working Account|KES|346568.83"},
        {"Key": "TransCompletedTime", "Value": "20221110110717"},
        {"Key": "DebitPartyCharges", "Value": ""},
        {"Key": "ReceiverPartyPublicName", "Value": "600000 - name"},
    ]
    event = read(result("0", parameters, ResultType="0"))
    assert (event.kind, event.claim.state) == (Kind.PAYOUT, State.SUCCEEDED)
    assert event.claim.amount == Money(19_000, "KES")


def test_a_reversal_that_was_made():
    parameters = [
        {"Key": "DebitAccountBalance", "Value": "Utility Account|KES|51661.00"},
        {"Key": "Amount", "Value": 100},
        {"Key": "OriginalTransactionID", "Value": "NLJ7RT61SV"},
        {"Key": "Charge", "Value": 0},
    ]
    event = read(result(0, parameters, TransactionID="SKE52PAWR9"))
    assert (event.kind, event.claim.state, event.claim.receipt) == (
        Kind.REFUND,
        State.SUCCEEDED,
        "SKE52PAWR9",
    )


def test_a_failure_has_no_receipt_and_its_kind_is_on_the_url():
    parameters = {"Key": "BOCompletedTime", "Value": 20200120164825}
    for notice, kind in (("", Kind.OTHER), ("payout", Kind.PAYOUT), ("refund", Kind.REFUND)):
        event = read(result(1, parameters, TransactionID="SKE0000000"), notice)
        assert (event.kind, event.claim.state) == (kind, State.FAILED)
        assert (event.claim.receipt, event.claim.amount, event.claim.code) == (None, None, "1")


def test_a_duplicate_is_looked_up_and_an_earlier_reversal_too():
    assert read(result(15), "payout").claim.state is State.PENDING
    assert read(result("R000001"), "refund").claim.state is State.PENDING


def test_parameters_may_be_a_bare_list_and_a_key_may_come_twice():
    bare = result(0)
    bare["Result"]["ResultParameters"] = [*B2C_PARAMETERS, {"Key": "TransactionAmount", "Value": 99}]
    assert read(bare).claim.amount == Money(1000, "KES")


def status(word: object, code: object = 0) -> dict:
    parameters = [
        {"Key": "DebitPartyName", "Value": "600984 - us"},
        {"Key": "OriginatorConversationID", "Value": REFERENCE},
        {"Key": "ConversationID", "Value": "AG_original"},
        {"Key": "TransactionStatus", "Value": word},
        {"Key": "Amount", "Value": "300"},
        {"Key": "ReceiptNo", "Value": "SG632NMUAB"},
        {"Key": "TransactionReason"},
    ]
    return result(code, parameters, ConversationID="AG_question", TransactionID="SKE0000000")


def test_a_status_result_is_about_the_original():
    event = read(status("Completed"), "payout-status")
    assert (event.kind, event.provider_reference, event.reference) == (Kind.PAYOUT, "AG_original", REFERENCE)
    assert (event.claim.state, event.claim.receipt) == (State.SUCCEEDED, "SG632NMUAB")
    assert event.claim.amount == Money(30_000, "KES")
    assert read(status("Completed")).kind is Kind.OTHER


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("Failed", State.FAILED), ("Declined", State.FAILED), ("Reversed", State.REVERSED), ("Pending", State.PENDING),
        ("A word nobody knows", State.PENDING), ("", State.PENDING), (None, State.PENDING),
    ],
)  # fmt: skip
def test_the_query_worked_is_not_the_payment_worked(word, state):
    event = read(status(word), "payout-status")
    assert (event.claim.state, event.claim.receipt, event.claim.amount) == (state, None, None)


def test_a_failed_question_is_never_a_failed_payout():
    for code in (1, "21", 2001, 9876):
        assert read(result(code), "payout-status").claim.state is State.PENDING
        assert read(status("Failed", code), "payout-status").claim.state is State.PENDING


def test_a_status_query_that_worked_without_a_word_says_nothing():
    assert read(result(0), "refund-status").claim.state is State.PENDING


@pytest.mark.parametrize(
    "body", [result(1), {"anything": "at all"}, {"Result": {"ResultCode": 0}}, {"Result": 5}]
)
def test_a_queue_time_out_leaves_the_outcome_open(body):
    event = read(body, "payout-timeout")
    assert (event.kind, event.event_type, event.claim.state) == (Kind.PAYOUT, "payout.timeout", State.PENDING)
    assert event.event_id == read(body, "payout-timeout").event_id


def test_a_customer_who_paid_from_the_menu():
    event = read({
        "TransactionType": "Pay Bill", "TransID": "RKL51ZDR4F", "TransTime": "20231121121325", "TransAmount": "5.00",
        "BusinessShortCode": "600966", "BillRefNumber": "AB12CD34EF56", "MSISDN": "2547 ***** 126",
        "FirstName": "NICHOLAS",
    })  # fmt: skip
    assert (event.kind, event.event_id, event.claim.receipt) == (Kind.OTHER, "c2b:RKL51ZDR4F", "RKL51ZDR4F")
    assert event.claim.amount == Money(500, "KES")
    assert "NICHOLAS" not in json.dumps(dict(event.claim.response))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"\xff\xfe", b"[]", b"null", b"5", json.dumps(pushed(0, Extra=float("nan"))).encode(), b"[" * 100_000, {}, {"Body": {}}, {"Body": 5},
        {"Body": {"stkCallback": {}}}, pushed(None), pushed({}), pushed(0, CheckoutRequestID=""),
        pushed(0, CheckoutRequestID="x" * 101), pushed(0, CheckoutRequestID=7), {"Result": {}}, {"Result": []},
        result(None), result(0, ConversationID=None, OriginatorConversationID=5), {"TransID": None},
        pushed(0, [{"Name": "Amount", "Value": "1,000"}]), pushed(0, [{"Name": "Amount", "Value": -5}]),
        pushed(0, [{"Name": "Amount", "Value": 1.005}]), pushed(0, [{"Name": "Amount", "Value": True}]),
        result(0, [{"Key": "TransactionAmount", "Value": {"a": 1}}]),
    ],
)  # fmt: skip
def test_what_cannot_be_read(body):
    with pytest.raises(InvalidCallback):
        read(body)


def test_event_ids_are_short_and_told_facts_are_json():
    event = read(status("long " * 100), "payout-status")
    assert len(event.event_id) <= 255
    json.dumps(dict(event.claim.response))


def test_the_answer_to_a_callback():
    provider = mpesa()
    answer = provider.acknowledge(read(pushed(0, PAID)))
    assert (answer.status, dict(answer.body)) == (200, {"ResultCode": 0, "ResultDesc": "Accepted"})
