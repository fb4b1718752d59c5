"""Users and their sessions.

Guarantees: an e-mail has at most one user, however many register at once; a revoked session ends its access and refresh
tokens at once, since every guard reads its row; a refresh token works once, and its second use revokes the session.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import clock, ids
from app.addresses import client_network
from app.errors import EmailExists, InvalidCredentials, InvalidRequest, TokenInvalid
from app.events import outbox
from app.events.catalogue import EventType
from app.models import User, UserSession
from app.principal import Principal
from app.services.demo import objects as demo_objects
from app.services.identity import emails, password_attempts, passwords, sessions, tokens
from app.services.identity.password_attempts import Attempt, Attempted
from app.services.identity.tokens import RefreshClaims, Tokens
from app.unit_of_work import reading, transaction

log = structlog.get_logger("auth")


@dataclass(frozen=True, slots=True)
class Registration:
    """What a user submits when registering, as they wrote it. Names are empty where a business registers without them."""

    email: str
    first_name: str = ""
    last_name: str = ""
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """A user and the tokens of the session that was opened or continued."""

    user: User
    tokens: Tokens


def register(registration: Registration, password: str, *, address: str | None) -> Login:
    """Make a user without wallets, in KYC tier 0, and open their first session. Raises as new_user and NewUser.store."""
    new = new_user(registration, password)
    return new.login(transaction(lambda session: new.store(session, address=address)))


def new_user(registration: Registration, password: str) -> NewUser:
    """A user to be stored. Raises WeakPassword, InvalidRequest (no e-mail address, or the demo's in production)."""
    email = emails.normal(registration.email)
    if current_app.config["IS_PRODUCTION"] and email in demo_objects.EMAILS:
        raise InvalidRequest("This e-mail address is kept for the demo.", field="email")
    passwords.check_strength(password)
    now = clock.now()
    values = {
        "id": ids.opaque(),
        "email": email,
        "password_hash": passwords.hash_password(password),
        "tier": 0,
        "first_name": registration.first_name,
        "last_name": registration.last_name,
        "phone": registration.phone,
        "is_active": True,
        "created_at": now,
        # A demo has no operator who could hand out tokens.
        "email_confirmed_at": now if current_app.config["IS_DEMO"] else None,
    }
    return NewUser(values, _NewSession.at(now))


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user who registers, and their first session, before they are stored."""

    _values: dict[str, Any]
    _session: _NewSession

    def store(self, session: Session, *, address: str | None) -> User:
        """Insert both in the caller's transaction. Raises EmailExists."""
        statement = insert(User).values(self._values).on_conflict_do_nothing().returning(User.id)
        user_id = session.scalars(statement).first()
        if user_id is None:
            raise EmailExists(field="email")
        user = session.get_one(User, user_id)
        _record(session, EventType.USER_REGISTERED, self.principal(address), now=user.created_at)
        _open_session(session, user_id, self._session, address=address)
        return user

    def principal(self, address: str | None) -> Principal:
        """The user, in their first session."""
        return Principal.of_user(self._values["id"], self._session.id, address)

    def login(self, stored: User) -> Login:
        """What the user is answered with, once they are stored."""
        return Login(stored, self._session.tokens_of(stored.id))


def log_in(email: str, password: str, *, address: str | None) -> Login:
    """Open a session.

    Raises InvalidCredentials, the same and as slowly for every reason; RateLimitExceeded after wrong passwords, whether
    this one is right or not (password_attempts.py).
    """
    attempt = password_attempts.begin(email, address=address)
    try:
        return _log_in(attempt, email, password)
    except InvalidCredentials:
        password_attempts.record_failure(attempt, Attempted.LOGIN)
        raise


def _log_in(attempt: Attempt, email: str, password: str) -> Login:
    user = _user_of(email)
    if not passwords.is_correct(password, user.password_hash if user else None) or user is None:
        raise InvalidCredentials
    better_hash = passwords.hash_password(password) if passwords.is_outdated(user.password_hash) else None
    new = _NewSession.at(clock.now())

    def work(session: Session) -> User:
        # Locked, so that the user is not suspended and the password does not change between the check and the session.
        statement = select(User).where(User.id == user.id, User.is_active).with_for_update(key_share=True)
        current = session.scalars(statement).one_or_none()
        if current is None:
            raise InvalidCredentials
        if current.password_hash != user.password_hash and not passwords.is_correct(
            password, current.password_hash
        ):
            raise InvalidCredentials
        if better_hash:
            current.password_hash = better_hash
        _open_session(session, user.id, new, address=attempt.address)
        password_attempts.record_success(session, attempt)
        return current

    return Login(transaction(work), new.tokens_of(user.id))


def refresh(refresh_token: str | None, *, address: str | None) -> Login:
    """A new pair of tokens for the session; the given refresh token is used up, and the session lives on, until SESSION_TTL_S
    after the login.

    Raises TokenMissing, TokenExpired, TokenInvalid. A token used before revokes the session: it was
    stolen, and thief and owner cannot be distinguished.
    """
    claims = tokens.read_refresh(refresh_token)
    new_id, now = ids.opaque(), clock.now()
    continued = transaction(lambda session: _rotate(session, claims, new_id=new_id, now=now, address=address))
    if continued is None:
        log.warning(
            "auth.failed",
            kind="token_refresh",
            user=ids.public(ids.USER, claims.user_id),
            address=address,
        )
        raise TokenInvalid("The refresh token is not valid any more.")
    user, ends_at = continued
    pair = tokens.issue(user.id, session_id=claims.session_id, refresh_id=new_id, ends_at=ends_at)
    return Login(user, pair)


def log_out(actor: Principal) -> None:
    """End the actor's session: its access token and its refresh token. Harmless when it has ended."""
    now = clock.now()

    def work(session: Session) -> None:
        if sessions.revoke(session, UserSession.id == actor.session_id, now=now):
            _record(session, EventType.USER_LOGGED_OUT, actor, now=now)

    transaction(work)


def _user_of(email: str) -> User | None:
    try:
        wanted = emails.normal(email)
    except InvalidRequest:
        return None
    with reading() as session:
        return session.scalars(select(User).where(User.email == wanted)).one_or_none()


@dataclass(frozen=True, slots=True)
class _NewSession:
    """The ids of a session to be opened; its tokens are made from them."""

    id: uuid.UUID
    refresh_id: uuid.UUID
    opened_at: datetime

    @classmethod
    def at(cls, moment: datetime) -> _NewSession:
        return cls(ids.opaque(), ids.opaque(), moment)

    def tokens_of(self, user_id: uuid.UUID) -> Tokens:
        ends_at = sessions.end_of(self.opened_at)
        return tokens.issue(user_id, session_id=self.id, refresh_id=self.refresh_id, ends_at=ends_at)


def _open_session(session: Session, user_id: uuid.UUID, new: _NewSession, *, address: str | None) -> None:
    session.add(
        UserSession(
            id=new.id,
            user_id=user_id,
            refresh_id=new.refresh_id,
            created_at=new.opened_at,
            expires_at=sessions.expiry(new.opened_at, opened_at=new.opened_at),
            revoked_at=None,
            network=client_network(address) or None,
        )
    )
    _record(session, EventType.USER_LOGGED_IN, Principal.of_user(user_id, new.id, address), now=new.opened_at)


def _rotate(
    session: Session, claims: RefreshClaims, *, new_id: uuid.UUID, now: datetime, address: str | None
) -> tuple[User, datetime] | None:
    """Replace the session's refresh id; its user, and when it ends. None: the token is not the session's, and the session
    is over now."""
    statement = select(UserSession).where(UserSession.id == claims.session_id).with_for_update(key_share=True)
    row = session.scalars(statement).one_or_none()
    if row is None or row.user_id != claims.user_id or row.revoked_at is not None or row.expires_at <= now:
        return None
    if row.refresh_id != claims.refresh_id:
        row.revoked_at = now
        _record(
            session,
            EventType.SESSION_REVOKED,
            Principal.of_user(row.user_id, row.id, address),
            now=now,
            reason="refresh_reused",
        )
        return None
    user = session.get(User, row.user_id)
    if user is None or not user.is_active:
        return None
    row.refresh_id, row.refreshed_at = new_id, now
    row.expires_at = sessions.expiry(now, opened_at=row.created_at)
    return user, sessions.end_of(row.created_at)


def _record(session: Session, event_type: EventType, actor: Principal, *, now: datetime, **data: str) -> None:
    """Sign-ins and sign-outs are for the audit trail only."""
    facts = {"session": actor.session_id.hex} | data
    outbox.record(
        session,
        event_type,
        object_id=ids.public(ids.USER, actor.user_id),
        data=facts,
        now=now,
        actor=actor,
        is_public=False,
    )
