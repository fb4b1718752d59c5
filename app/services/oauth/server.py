"""The authorization server: Authlib's, which knows the protocol, over our rows, which decide.

Guarantees: PKCE is S256 or nothing, required of public applications, and a code with a challenge is exchanged for its verifier
only; no exchange gives more than was granted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import AuthorizationServer, OAuth2Error
from authlib.oauth2 import OAuth2Request as ProtocolRequest
from authlib.oauth2.rfc6749 import (
    AuthorizationCodeGrant,
    ClientCredentialsGrant,
    InvalidRequestError,
    InvalidScopeError,
    RefreshTokenGrant,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from app import ids
from app.errors import OAuthClientRefused, OAuthRefused
from app.models.tenant import Permission
from app.services.oauth import clients, credentials, grants, tokens
from app.services.oauth.clients import Application
from app.services.oauth.grants import Code, Issued, RefreshToken
from app.services.oauth.tokens import LiveToken

JsonObject = dict[str, Any]

_URI: Final = "https://localhost/"
"""Authlib wants to see https. Whether a request came by TLS is the proxy's matter, and a demo has none."""


class Request(ProtocolRequest):
    """A request whose parameters were read. authorization: the header. address: the client's."""

    def __init__(
        self, parameters: Mapping[str, str], *, authorization: str | None = None, address: str | None = None
    ) -> None:
        super().__init__("POST", _URI, headers={})
        self.payload = BasicOAuth2Payload(parameters)
        self.authorization = authorization
        self.address = address

    @property
    def form(self) -> Mapping[str, str]:
        sent: Mapping[str, str] = self.payload.data
        return sent


class CodeGrant(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")

    @staticmethod
    def validate_authorization_redirect_uri(request: Request, client: Application) -> str:
        uri: str = request.payload.redirect_uri
        if not client.check_redirect_uri(uri):
            raise InvalidRequestError("The redirect_uri is not registered for this client.")
        return uri

    def query_authorization_code(self, code: str, client: Application) -> Code:
        found = grants.find_code(code, client, address=self.request.address)
        sent = self.request.payload.redirect_uri
        if sent is not None and sent != found.redirect_uri:
            raise OAuthRefused("invalid_grant", "The redirect_uri is not the one the code was issued for.")
        return found

    def authenticate_user(self, authorization_code: Code) -> Code:
        """The code stands for who consented: Authlib only wants to see that there is one."""
        return authorization_code

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """It was marked as used in the statement that stored the tokens."""


class OneTimeRefreshTokenGrant(RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = CodeGrant.TOKEN_ENDPOINT_AUTH_METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> RefreshToken:
        return grants.find_refresh_token(refresh_token, self.request.client, address=self.request.address)

    def authenticate_user(self, refresh_token: RefreshToken) -> RefreshToken:
        """As of a code."""
        return refresh_token

    def revoke_old_credential(self, refresh_token: RefreshToken) -> None:
        """It was marked as used in the transaction that stored the new one."""


class OwnTenantGrant(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

    def validate_requested_scope(self) -> None:
        if not set((self.request.payload.scope or "").split()) <= clients.OWN_SCOPES:
            raise InvalidScopeError(f"Client credentials get {' '.join(clients.OWN_SCOPES)} only.")


class S256Only(CodeChallenge):
    """RFC 7636 without `plain`, which protects nothing from who reads the request."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: CodeGrant, redirect_uri: str) -> None:
        sent = grant.request.payload.data
        if "code_challenge" not in sent and grant.request.client.is_public:
            raise InvalidRequestError("Public clients must send a code_challenge (PKCE).")
        if "code_challenge" in sent and sent.get("code_challenge_method") != "S256":
            raise InvalidRequestError("code_challenge_method must be S256.")
        super().validate_code_challenge(grant, redirect_uri)

    def get_authorization_code_challenge_method(self, authorization_code: Code) -> str:
        return "S256"


class OwnRevocationEndpoint(RevocationEndpoint):
    CLIENT_AUTH_METHODS = CodeGrant.TOKEN_ENDPOINT_AUTH_METHODS

    def authenticate_token(self, request: Request, client: Application) -> LiveToken | None:
        return _own_token(request, client)

    def revoke_token(self, token: LiveToken, request: Request) -> None:
        tokens.revoke(token, request.client, address=request.address)


class OwnIntrospectionEndpoint(IntrospectionEndpoint):
    CLIENT_AUTH_METHODS = OwnTenantGrant.TOKEN_ENDPOINT_AUTH_METHODS

    def authenticate_token(self, request: Request, client: Application) -> LiveToken | None:
        return _own_token(request, client)

    def create_introspection_payload(self, token: LiveToken | None) -> JsonObject:
        if token is None:
            return {"active": False}
        return {
            "active": True,
            "scope": " ".join(token.permissions),
            "client_id": token.client_id,
            "token_type": "Bearer",
            "exp": int(token.expires_at.timestamp()),
            "iat": int(token.created_at.timestamp()),
            "sub": ids.public(ids.USER, token.user_id) if token.user_id else str(token.tenant_id),
        }


class Server(AuthorizationServer):
    """Its answers are dicts; its refusals are raised as OAuthRefused."""

    def __init__(self) -> None:
        super().__init__(scopes_supported=list(Permission))
        self.register_token_generator(
            "default",
            BearerTokenGenerator(
                lambda **_: credentials.new(credentials.ACCESS_TOKEN),
                lambda **_: credentials.new(credentials.REFRESH_TOKEN),
                lambda client, grant_type: credentials.ACCESS_TOKEN_LIFE_S,
            ),
        )
        self.register_grant(CodeGrant, [S256Only(required=True)])
        self.register_grant(OneTimeRefreshTokenGrant)
        self.register_grant(OwnTenantGrant)
        self.register_endpoint(OwnRevocationEndpoint)
        self.register_endpoint(OwnIntrospectionEndpoint)

    def query_client(self, client_id: str) -> Application | None:
        return clients.find(client_id)

    def authenticate_client(self, request: Request, methods: Any, endpoint: str = "token") -> Application:
        found, request.auth_method = clients.authenticate(
            request.payload.data,
            request.authorization,
            address=request.address,
            may_be_public="none" in methods,
        )
        return found

    def save_token(self, token: JsonObject, request: Request) -> None:
        issued = Issued(token["access_token"], token["scope"].split(), token.get("refresh_token"))
        if request.authorization_code is not None:
            grants.use_code(request.authorization_code, issued)
        elif request.refresh_token is not None:
            grants.rotate(request.refresh_token, issued)
        else:
            grants.grant_own(request.client, issued)

    def create_oauth2_request(self, request: Request) -> Request:
        return request

    def handle_response(self, status: int, body: JsonObject, headers: Any) -> JsonObject:
        return body

    def handle_error_response(self, request: Request, error: OAuth2Error) -> NoReturn:
        _refuse(error)

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """None of Authlib's signals is used."""


_SERVER: Final = Server()


@dataclass(frozen=True, slots=True)
class Authorization:
    """What an application asks the user for, checked. redirect_uri: a registered one."""

    client: Application
    redirect_uri: str
    permissions: tuple[str, ...]
    challenge: str | None
    state: str | None

    def redirect(self, **parameters: str) -> str:
        """Where the user's browser takes the answer: the redirect URI with `parameters` and the state."""
        return redirect(self.redirect_uri, self.state, parameters)


def redirect(redirect_uri: str, state: str | None, parameters: Mapping[str, str]) -> str:
    """The URI with more parameters in its query."""
    sent = parameters if state is None else {**parameters, "state": state}
    answer: str = add_params_to_uri(redirect_uri, list(sent.items()))
    return answer


def authorization(parameters: Mapping[str, str]) -> Authorization:
    """Check an authorization request. Raises OAuthRefused, whose redirect_uri is set where the browser may take it there."""
    for name in ("client_id", "redirect_uri"):
        if name not in parameters:
            raise OAuthRefused("invalid_request", f"Missing '{name}' parameter.")
    client = clients.find(parameters["client_id"])
    if client is None:
        raise OAuthRefused("invalid_client", "The client is not known.")
    uri = parameters["redirect_uri"]
    if not client.check_redirect_uri(uri):
        raise OAuthRefused("invalid_request", "The redirect_uri is not registered for this client.")
    if "response_type" not in parameters:
        raise OAuthRefused("invalid_request", "Missing 'response_type' parameter.", redirect_uri=uri)
    if parameters["response_type"] != "code":
        raise OAuthRefused("unsupported_response_type", "The response_type must be 'code'.", redirect_uri=uri)
    request = Request(parameters)
    try:
        _SERVER.get_consent_grant(request)
    except OAuth2Error as error:
        _refuse(error)
    return Authorization(
        client=client,
        redirect_uri=uri,
        permissions=tuple(request.scope.split()),
        challenge=parameters.get("code_challenge"),
        state=parameters.get("state"),
    )


def exchange(parameters: Mapping[str, str], *, authorization: str | None, address: str | None) -> JsonObject:
    """The body of RFC 6749's token answer. Raises OAuthRefused, OAuthClientRefused, RateLimitExceeded."""
    if "grant_type" not in parameters:
        raise OAuthRefused("invalid_request", "Missing 'grant_type' parameter.")
    request = Request(parameters, authorization=authorization, address=address)
    answer: JsonObject = _SERVER.create_token_response(request)
    return answer


def revoke(parameters: Mapping[str, str], *, authorization: str | None, address: str | None) -> None:
    """End a token of the client's own; unknown ones are no error (RFC 7009). Raises as `exchange`."""
    _SERVER.create_endpoint_response(
        "revocation", Request(parameters, authorization=authorization, address=address)
    )


def introspect(
    parameters: Mapping[str, str], *, authorization: str | None, address: str | None
) -> JsonObject:
    """What a token of the client's own is good for (RFC 7662). Raises as `exchange`."""
    request = Request(parameters, authorization=authorization, address=address)
    answer: JsonObject = _SERVER.create_endpoint_response("introspection", request)
    return answer


def _own_token(request: Request, client: Application) -> LiveToken | None:
    """token_type_hint is not read: one look-up finds both kinds."""
    text = request.form.get("token")
    if text is None:
        raise InvalidRequestError("Missing 'token' parameter.")
    return tokens.find_live(text, client)


def _refuse(error: OAuth2Error) -> NoReturn:
    """Raises OAuthRefused, OAuthClientRefused."""
    message = error.get_error_description() or None
    if error.error == OAuthClientRefused.error_code:
        raise OAuthClientRefused(message=message) from error
    raise OAuthRefused(error.error, message, redirect_uri=error.redirect_uri) from error
