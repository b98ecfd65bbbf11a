"""Entra ID's errors: the OAuth 2.0 error (RFC 6749, section 5.2), HTTP status and wording."""

from __future__ import annotations

import time
import uuid
from typing import Any

# code: (error, HTTP status, suberror, message)
# fmt: off
_KNOWN: dict[int, tuple[str, int, str | None, str]] = {
    16000: ("interaction_required", 400, None, "User account is ambiguous. Select an account."),
    28000: ("invalid_request", 400, None,
            "Provided value for the input parameter scope is not valid because it contains more "
            "than one resource."),
    50011: ("invalid_request", 400, None,
            "The redirect URI specified in the request does not match the redirect URIs "
            "configured for the application."),
    50020: ("invalid_grant", 400, None,
            "User account from identity provider does not exist in tenant and cannot access the "
            "application in that tenant."),
    50034: ("invalid_grant", 400, None, "The user account does not exist in the directory."),
    50059: ("invalid_request", 400, None,
            "No tenant-identifying information found in either the request or implied by any "
            "provided credentials."),
    50076: ("invalid_grant", 400, "basic_action",
            "Due to a configuration change made by your administrator, or because you moved to a "
            "new location, you must use multi-factor authentication to access the resource."),
    50079: ("invalid_grant", 400, "basic_action",
            "Due to a configuration change made by your administrator, or because you moved to a "
            "new location, you must enroll in multi-factor authentication to access the resource."),
    50126: ("invalid_grant", 400, None,
            "Error validating credentials due to invalid username or password."),
    50173: ("invalid_grant", 400, "bad_token",
            "The provided grant has expired due to it being revoked, a fresh auth token is "
            "needed. The user might have changed or reset their password."),
    53003: ("invalid_grant", 400, "message_only",
            "Access has been blocked by Conditional Access policies. The access policy does not "
            "allow token issuance."),
    54005: ("invalid_grant", 400, None,
            "OAuth2 Authorization code was already redeemed, please retry with a new valid code "
            "or use an existing refresh token."),
    65001: ("invalid_grant", 400, "consent_required",
            "The user or administrator has not consented to use the application. Send an "
            "interactive authorization request for this user and resource."),
    65002: ("invalid_grant", 400, None,
            "Consent between first party application and first party resource must be configured "
            "via preauthorization - applications owned and operated by Microsoft must get "
            "approval from the API owner before requesting tokens for that API."),
    65004: ("access_denied", 400, None, "User declined to consent to access the app."),
    70000: ("invalid_grant", 400, "bad_token",
            "Provided grant is invalid or malformed."),
    70003: ("unsupported_grant_type", 400, None, "The app requested an unsupported grant type."),
    70007: ("invalid_request", 400, None,
            "The application requested an unsupported mode 'query' when requesting a token."),
    70008: ("invalid_grant", 400, None,
            "The provided authorization code or refresh token has expired due to inactivity."),
    70011: ("invalid_scope", 400, None,
            "The provided request must include a 'scope' input parameter. The provided value for "
            "the input parameter 'scope' is not valid."),
    70016: ("authorization_pending", 400, None,
            "OAuth 2.0 device flow error. Authorization is pending. Continue polling."),
    70018: ("authorization_declined", 400, None,
            "The end user denied the authorization request."),
    70019: ("expired_token", 400, None, "Verification code expired."),
    70043: ("invalid_grant", 400, "bad_token",
            "The refresh token has expired or is invalid due to sign-in frequency checks by "
            "Conditional Access."),
    90002: ("invalid_request", 400, None,
            "Tenant not found. Check to make sure you have the correct tenant ID and are signing "
            "into the correct cloud."),
    90033: ("temporarily_unavailable", 503, None,
            "A transient error has occurred. Please try again."),
    500011: ("invalid_resource", 400, None,
             "The resource principal was not found in the tenant. This can happen if the "
             "application has not been installed by the administrator of the tenant or consented "
             "to by any user in the tenant."),
    501481: ("invalid_grant", 400, None,
             "The Code_Verifier does not match the code_challenge supplied in the authorization "
             "request."),
    530036: ("invalid_grant", 400, "message_only",
             "Access has been blocked by conditional access authentication flows policy configured "
             "by this organization."),
    530084: ("invalid_grant", 400, "message_only",
             "Access has been blocked by conditional access token protection policy configured by "
             "this organization. To learn more, see https://aka.ms/TBCADocs."),
    700016: ("unauthorized_client", 400, None,
             "Application was not found in the directory. This can happen if the application has "
             "not been installed by the administrator of the tenant or consented to by any user "
             "in the tenant."),
    700027: ("invalid_client", 401, None,
             "The certificate with identifier used to sign the client assertion is not "
             "registered on application."),
    700024: ("invalid_client", 401, None,
             "Client assertion is not within its valid time range."),
    700082: ("invalid_grant", 400, "bad_token",
             "The refresh token has expired due to inactivity."),
    700211: ("invalid_client", 401, None,
             "No matching federated identity record found for presented assertion issuer."),
    700212: ("invalid_client", 401, None,
             "No matching federated identity record found for presented assertion audience."),
    700213: ("invalid_client", 401, None,
             "No matching federated identity record found for presented assertion subject."),
    900144: ("invalid_request", 400, None,
             "The request body must contain a required parameter that is missing."),
    900971: ("invalid_request", 400, None, "No reply address provided."),
    1002012: ("invalid_scope", 400, None,
              "The provided value for scope is not valid. Client credential flows must have a "
              "scope value with /.default suffixed to the resource identifier (application ID "
              "URI)."),
    7000215: ("invalid_client", 401, None,
              "Invalid client secret provided. Ensure the secret being sent in the request is the "
              "client secret value, not the client secret ID."),
    7000218: ("invalid_client", 401, None,
              "The request body must contain the following parameter: 'client_assertion' or "
              "'client_secret'."),
    7000222: ("invalid_client", 401, None,
              "The provided client secret keys for the app are expired. Visit the Azure portal to "
              "create new keys for your app: https://aka.ms/NewClientSecret, or consider using "
              "certificate credentials for added security: https://aka.ms/certCreds."),
}
# fmt: on


class SignInError(Exception):
    """An answer of the token or authorize endpoint that is an error.

    ``detail`` goes in front of the usual wording. It must never hold a token or a secret.
    """

    def __init__(
        self,
        code: int,
        detail: str = "",
        *,
        error: str | None = None,
        http_status: int | None = None,
        suberror: str | None = None,
        claims: str | None = None,
    ) -> None:
        usual_error, usual_status, usual_suberror, message = _KNOWN.get(
            code, ("invalid_grant", 400, None, "The request failed.")
        )
        self.code = code
        self.error = error or usual_error
        self.http_status = http_status or usual_status
        self.suberror = suberror or usual_suberror
        self.claims = claims
        self.message = f"{detail} {message}" if detail else message
        super().__init__(f"AADSTS{code}: {self.message}")

    def body(self, correlation_id: str | None = None) -> dict[str, Any]:
        trace = str(uuid.uuid4())
        correlation = correlation_id or str(uuid.uuid4())
        timestamp = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
        body: dict[str, Any] = {
            "error": self.error,
            "error_description": (
                f"AADSTS{self.code}: {self.message} Trace ID: {trace} "
                f"Correlation ID: {correlation} Timestamp: {timestamp}"
            ),
            "error_codes": [self.code],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.code}",
        }
        if self.suberror:
            body["suberror"] = self.suberror
        if self.claims:
            body["claims"] = self.claims
        return body
