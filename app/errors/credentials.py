"""Refusals of credentials, and of what a credential may not do."""

from __future__ import annotations

from app.errors.base import GatewayError


class AuthenticationFailed(GatewayError):
    """The credential is missing or not valid. Base of the 401 errors."""

    http_status = 401
    code = "TOKEN_INVALID"
    default_message = "The access token is not valid."


class TokenMissing(AuthenticationFailed):
    code = "TOKEN_MISSING"
    default_message = "Send an access token: Authorization: Bearer <token>."


class TokenInvalid(AuthenticationFailed):
    pass


class TokenExpired(AuthenticationFailed):
    code = "TOKEN_EXPIRED"
    default_message = "The access token has expired."


class InvalidApiKey(AuthenticationFailed):
    """Unknown, revoked, or of a suspended tenant: the three look the same."""

    code = "INVALID_API_KEY"
    default_message = "The API key is not valid."


class ApiKeyDeactivated(InvalidApiKey):
    """The key was right once: it was revoked, suspended or has expired, or its tenant is suspended."""


class CredentialsMissing(AuthenticationFailed):
    code = "MISSING_CREDENTIALS"
    default_message = "Send an API key: X-TENANT-API-KEY, or Authorization: Bearer <key>."


class TenantIdMissing(AuthenticationFailed):
    code = "MISSING_TENANT_ID"
    default_message = "Send the tenant's id: X-TENANT-ID."


class InvalidTenant(AuthenticationFailed):
    """Unknown or suspended: the two look the same."""

    code = "INVALID_TENANT"
    default_message = "The tenant is not valid."


class NotAMember(GatewayError):
    """The user does not act for this tenant, or is suspended there."""

    http_status = 403
    code = "FORBIDDEN"
    default_message = "You do not act for this tenant."


class ScopeMissing(GatewayError):
    """The member's role, or an API key alone, does not have the scope."""

    http_status = 403
    code = "SCOPE_MISSING"
    default_message = "Missing required scope."


class AuthenticationTimeout(AuthenticationFailed):
    """A Socket.IO client that neither signed in nor watches a payment."""

    code = "AUTHENTICATION_TIMEOUT"
    default_message = "Sign in or subscribe to a transaction within 10 seconds after connecting."


class InvalidCredentials(AuthenticationFailed):
    code = "INVALID_CREDENTIALS"
    default_message = "E-mail or password is wrong."


class PermissionDenied(GatewayError):
    http_status = 403
    code = "PERMISSION_DENIED"
    default_message = "You may not do this."
    is_answer = True


class KeyForbidden(GatewayError):
    """A key that is known and not accepted, as document 003 answers it."""

    http_status = 403
    code = "KEY_FORBIDDEN"
    default_message = "This API key is not accepted."


class PermissionMissing(GatewayError):
    """The API key, or the OAuth token, is restricted to other permissions."""

    http_status = 403
    code = "PERMISSION_MISSING"
    default_message = "This credential lacks a permission."


class OAuthRefused(GatewayError):
    """An OAuth 2 request that is refused. error_code: the RFC's name of the reason (RFC 6749, 5.2). redirect_uri: where a browser
    takes the refusal to; None where the client or its address is not known."""

    code = "OAUTH_REFUSED"
    default_message = "The OAuth request is refused; `error_code` says why."
    error_code = "invalid_request"

    def __init__(
        self, error_code: str | None = None, message: str | None = None, *, redirect_uri: str | None = None
    ) -> None:
        super().__init__(message)
        self.error_code = error_code or self.error_code
        self.redirect_uri = redirect_uri


class OAuthClientRefused(OAuthRefused):
    """The client is unknown or disabled, or its secret is wrong: the three look the same."""

    http_status = 401
    error_code = "invalid_client"
    default_message = "The client is not known, or its secret is wrong."


class HostRefused(GatewayError):
    """The request came to a demo under a name that is not this machine's (DNS rebinding)."""

    http_status = 403
    code = "HOST_REFUSED"
    default_message = "This host is not served here."
