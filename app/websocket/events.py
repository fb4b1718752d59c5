"""Handlers of one client's events (docs/realtime.md), answered in the order they were sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import structlog
from flask import request
from flask_socketio import ConnectionRefusedError as Refused
from flask_socketio import SocketIO

from app import ids
from app.errors import GatewayError, InvalidRequest, PermissionDenied
from app.events.push_messages import changes_room, tenant_room, transaction_room, user_room
from app.principal import Principal
from app.services.identity.tokens import AccessClaims
from app.services.realtime import subscriptions
from app.services.realtime.subscriptions import WatchedPayment
from app.websocket import auth
from app.websocket.clients import Client, Clients
from app.websocket.packet import UNREADABLE
from app.websocket.rooms import NAMESPACE, RoomManager

T = TypeVar("T")

MAX_SUBSCRIPTIONS: Final = 100
"""Payments one client may watch at a time."""

MAX_ID_LENGTH: Final = 64

log = structlog.get_logger("realtime")


class Run(Protocol):
    """Calls a function that uses the database, in the application's context and off the event loop if there is one."""

    def __call__(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T: ...


@dataclass(frozen=True, slots=True)
class Subscription:
    """What `subscribe_transaction` asks for."""

    transaction_id: str
    token: str | None

    @classmethod
    def read(cls, args: tuple[Any, ...]) -> Subscription:
        """Raises InvalidRequest."""
        data = args[0] if len(args) == 1 else None
        if not isinstance(data, dict):
            raise InvalidRequest('Send one object: {"transaction_id": "…"}.')
        transaction_id = data.get("transaction_id")
        if not isinstance(transaction_id, str) or not 0 < len(transaction_id) <= MAX_ID_LENGTH:
            raise InvalidRequest(
                f"transaction_id must be a text of 1 to {MAX_ID_LENGTH} characters.", field="transaction_id"
            )
        return cls(transaction_id, auth.text_in(data, "token"))


class EventHandlers:
    """The handlers. `is_production`: watching a payment takes a right (auth.require_right), or its own token."""

    def __init__(self, clients: Clients, *, run: Run, is_production: bool) -> None:
        self.rooms: RoomManager
        self._clients = clients
        self._run = run
        self._is_production = is_production

    def register(self, socketio: SocketIO) -> None:
        socketio.on_event("connect", self.connect)
        socketio.on_event("disconnect", self.disconnect)
        socketio.on_event("subscribe_transaction", self._answering(self.subscribe))
        socketio.on_event("subscribe_changes", self._answering(self.subscribe_changes))
        socketio.on_event("unsubscribe_transaction", self._answering(self.unsubscribe))
        socketio.on_event("*", self._answering(self.unknown))

    def connect(self, auth_payload: object) -> None:
        """Before the connection is acknowledged; a refusal reaches it as its connect_error."""
        client = Client()
        try:
            sent = auth.credentials_in(auth_payload)
            if sent.token is not None:
                client.claims = self._run(auth.sign_in, sent.token)
            if sent.api_key is not None:
                client.merchant = self._run(auth.merchant_of, sent.api_key, address=request.remote_addr)
        except GatewayError as error:
            raise Refused(error.message, {"code": error.code}) from error
        self._clients.add(_sid(), client)

    def on_connected(self, sid: str) -> None:
        """After the connection was acknowledged: from now on the client may get events."""
        self.rooms.send_to(sid, "connected", {"message": "Connected to payment gateway"})
        client = self._clients.get(sid)
        if client is not None and client.claims is not None:
            self._enter_own_room(sid, client.claims)
        if client is not None and client.merchant is not None:
            self._enter_tenant_room(sid, client.merchant)

    def disconnect(self, *_: object) -> None:
        self._clients.remove(_sid())

    def subscribe(self, sid: str, client: Client, *args: Any) -> None:
        asked = Subscription.read(args)
        has_token = asked.token is not None and self._use_token(
            sid, client, asked.transaction_id, asked.token
        )
        payment = self._run(self._watchable, asked.transaction_id, client, has_token=has_token)
        room = transaction_room(asked.transaction_id)
        self._require_allowance(sid, room)
        message = f"Subscribed to transaction {asked.transaction_id}"
        self.rooms.send_to(sid, "subscribed", {"message": message, "room": room})
        self.rooms.watch(sid, room)
        # Read after joining: what happens from here on is pushed, what happened before is in this.
        state = self._run(subscriptions.last_push, asked.transaction_id) or payment.unpublished
        self.rooms.show(sid, room, state)

    def subscribe_changes(self, sid: str, _: Client, *args: Any) -> None:
        """For a page that must not show what the payment holds; its token is needed in every mode."""
        asked = Subscription.read(args)
        self._run(auth.require_changes_token, asked.transaction_id, asked.token)
        room = changes_room(asked.transaction_id)
        self._require_allowance(sid, room)
        # First joined, then answered: what the page reads afterwards, it reads late enough.
        self.rooms.watch(sid, room)
        message = f"Subscribed to changes of transaction {asked.transaction_id}"
        self.rooms.send_to(sid, "subscribed", {"message": message, "room": room})

    def _require_allowance(self, sid: str, room: str) -> None:
        """Raises InvalidRequest: the client watches as many rooms as it may."""
        watched = self.rooms.watched(sid)
        if room not in watched and len(watched) >= MAX_SUBSCRIPTIONS:
            raise InvalidRequest(f"One client watches at most {MAX_SUBSCRIPTIONS} transactions.")

    def unsubscribe(self, sid: str, _: Client, *args: Any) -> None:
        asked = Subscription.read(args)
        self.rooms.unwatch(sid, transaction_room(asked.transaction_id))
        message = f"Unsubscribed from transaction {asked.transaction_id}"
        self.rooms.send_to(sid, "unsubscribed", {"message": message})

    def unknown(self, _: str, __: Client, event: str, *___: Any) -> None:
        if event == UNREADABLE:
            raise InvalidRequest("This is not a Socket.IO event.")
        raise InvalidRequest("There is no such event.")

    def _watchable(self, transaction_id: str, client: Client, *, has_token: bool) -> WatchedPayment:
        if client.claims is not None:
            auth.require_alive(client.claims)
        if client.merchant is not None:
            auth.require_alive_key(client.merchant)
        payment = subscriptions.find_payment(transaction_id)
        if self._is_production and not has_token:
            auth.require_right(payment, client.claims, client.merchant)
        return payment

    def _use_token(self, sid: str, client: Client, transaction_id: str, token: str) -> bool:
        """Whether it is the payment's own realtime token; an access token signs the client in instead."""
        if self._run(auth.is_payment_token, transaction_id, token):
            return True
        self._sign_in(sid, client, token)
        return False

    def _sign_in(self, sid: str, client: Client, token: str) -> None:
        """A token sent after connecting: the user logged in since, or the first token is about to expire."""
        claims = self._run(auth.sign_in, token)
        if client.merchant is not None:
            raise PermissionDenied("This connection is a merchant's; open a new one.")
        if client.claims is not None and client.claims.user_id != claims.user_id:
            raise PermissionDenied("This connection belongs to another user; open a new one.")
        client.claims = claims
        self._enter_own_room(sid, claims)

    def _enter_own_room(self, sid: str, claims: AccessClaims) -> None:
        self.rooms.enter_room(sid, NAMESPACE, user_room(ids.public(ids.USER, claims.user_id)))

    def _enter_tenant_room(self, sid: str, merchant: Principal) -> None:
        """Unless the key has ended since the client connected: whoever ends it later finds the client in the room."""
        room = tenant_room(str(merchant.tenant_id))
        self.rooms.enter_room(sid, NAMESPACE, room)
        try:
            self._run(auth.require_alive_key, merchant)
        except GatewayError as error:
            self.rooms.leave_room(sid, NAMESPACE, room)
            self._refuse(sid, error.code, error.message, ())

    def _answering(self, handler: Callable[..., None]) -> Callable[..., None]:
        """A handler whose refusals, and our own faults, reach the client as an `error` event."""

        def answer(*args: Any) -> None:
            sid = _sid()
            client = self._clients.get(sid)
            if client is None:
                return
            try:
                client.count_event()
                handler(sid, client, *args)
            except GatewayError as error:
                self._refuse(sid, error.code, error.message, args)
            except Exception:
                log.exception("realtime.handler_failed", handler=handler.__name__)
                self._refuse(sid, "INTERNAL_ERROR", "Something went wrong on our side.", args)

        return answer

    def _refuse(self, sid: str, code: str, message: str, args: tuple[Any, ...]) -> None:
        data = args[0] if args else None
        asked = data.get("transaction_id") if isinstance(data, dict) else None
        about = {"transaction_id": asked} if isinstance(asked, str) and len(asked) <= MAX_ID_LENGTH else {}
        self.rooms.send_to(sid, "error", {"code": code, "message": message, **about})


def _sid() -> str:
    sid: str = request.sid  # type: ignore[attr-defined]  # Flask-SocketIO puts it there
    return sid
