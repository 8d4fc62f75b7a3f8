"""A simulated Entra ID tenant: where an application gets its token for Graph, with a secret or with a certificate.

Refusals carry the AADSTS numbers that Entra gives. Paths: /{tenant}/v2.0/.well-known/openid-configuration,
/{tenant}/oauth2/v2.0/token and /common/discovery/instance.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_DNS, uuid4, uuid5

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from otd.lab.web import Answer, Call

_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_GRAPH_ROOTS = frozenset(("graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us"))
_SKEW = timedelta(minutes=5)


class Refused(Exception):
    """Entra's answer to a request that it does not grant."""

    def __init__(self, status: int, error: str, number: int, message: str) -> None:
        super().__init__(message)
        self.status, self.error, self.number, self.message = status, error, number, message


@dataclass(slots=True)
class Application:
    """A registered application; it proves itself by any of its secrets or certificates."""

    client_id: str
    secrets: dict[str, datetime | None] = field(default_factory=dict, repr=False)  # with their last day
    certificates: dict[str, RSAKey] = field(default_factory=dict, repr=False)  # by thumbprint, SHA-1 and SHA-256


class Tenant:
    """One tenant with its applications and the tokens that it gave out."""

    def __init__(
        self,
        domain: str = "contoso.example",
        *,
        token_life: timedelta = timedelta(seconds=3599),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.domain = domain
        self.id = str(uuid5(NAMESPACE_DNS, f"tenant.{domain}"))
        self.token_life = token_life
        self._clock = clock
        self._applications: dict[str, Application] = {}
        self._tokens: dict[str, tuple[str, datetime]] = {}
        self._lock = threading.Lock()

    def register(
        self, client_id: str, *, secret: str = "", secret_until: datetime | None = None, certificate: str = ""
    ) -> None:
        """Let this application in by that secret (until then) or that certificate (PEM, RSA); adds to what it has."""
        application = self._applications.setdefault(client_id.casefold(), Application(client_id))
        if secret:
            application.secrets[secret] = secret_until
        if certificate:
            loaded = x509.load_pem_x509_certificate(certificate.encode())
            der = loaded.public_bytes(serialization.Encoding.DER)
            public = loaded.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            key = RSAKey.import_key(public)
            application.certificates[_b64(hashlib.sha1(der).digest())] = key  # noqa: S324 (x5t is defined so)
            application.certificates[_b64(hashlib.sha256(der).digest())] = key

    def forget_secrets(self, client_id: str) -> None:
        """As when a person deletes them in the portal: tokens given out still hold."""
        self._applications[client_id.casefold()].secrets.clear()

    def revoke_tokens(self) -> None:
        """Every token given out so far is refused from now on."""
        with self._lock:
            self._tokens.clear()

    def bearer(self, authorization: str) -> str:
        """What is wrong with this Authorization header, "" when its token holds."""
        scheme, _, token = authorization.partition(" ")
        if scheme.casefold() != "bearer" or not token.strip():
            return "Access token is empty."
        with self._lock:
            known = self._tokens.get(token.strip())
        if known is None:
            return "Access token validation failure. Invalid signature."
        return "" if self._clock() < known[1] else "Lifetime validation failed, the token is expired."

    # the endpoints ------------------------------------------------------------------------------------------------

    def answer(self, call: Call) -> Answer | None:
        """The answer when this is one of the tenant's own paths, else None."""
        path = call.path.strip("/")
        if path == "common/discovery/instance":
            return Answer(payload=self._instance(call))
        name, _, rest = path.partition("/")
        if rest not in ("v2.0/.well-known/openid-configuration", "oauth2/v2.0/token"):
            return None
        try:
            if name.casefold() not in (self.id, self.domain.casefold()):
                raise Refused(400, "invalid_tenant", 90002, f"Tenant '{name}' not found.")
            if rest.startswith("v2.0"):
                return Answer(payload=self._openid(call.root))
            return Answer(payload=self._grant(call), headers={"Cache-Control": "no-store, no-cache"})
        except Refused as refused:
            return self._refusal(refused, call)

    def _instance(self, call: Call) -> dict[str, Any]:
        wanted = urlsplit(call.query.get("authorization_endpoint", ""))
        tenant = wanted.path.strip("/").partition("/")[0]
        return {
            "tenant_discovery_endpoint": f"{call.root}/{tenant}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [
                {"preferred_network": wanted.netloc, "preferred_cache": wanted.netloc, "aliases": [wanted.netloc]}
            ],
        }

    def _openid(self, root: str) -> dict[str, Any]:
        base = f"{root}/{self.id}"
        return {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "tenant_region_scope": "EU",
            "cloud_instance_name": urlsplit(root).netloc,
            "msgraph_host": urlsplit(root).netloc,
        }

    def _grant(self, call: Call) -> dict[str, Any]:
        if call.method != "POST":
            raise Refused(400, "invalid_request", 900561, "The endpoint only accepts POST requests.")
        form = call.form()
        for name in ("grant_type", "client_id"):
            if not form.get(name):
                raise Refused(400, "invalid_request", 900144, f"The request body must contain the parameter: '{name}'.")
        if form["grant_type"] != "client_credentials":
            raise Refused(
                400, "unsupported_grant_type", 70003, f"The grant type '{form['grant_type']}' is not supported here."
            )
        application = self._applications.get(form["client_id"].casefold())
        if application is None:
            raise Refused(
                400, "unauthorized_client", 700016, f"Application '{form['client_id']}' was not found in the directory."
            )
        self._prove(application, form, call.root)
        self._scope(form.get("scope", ""), call.root)
        token = self._token(application, call.root)
        life = int(self.token_life.total_seconds())
        return {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token}

    def _prove(self, application: Application, form: Mapping[str, str], root: str) -> None:
        if assertion := form.get("client_assertion"):
            if form.get("client_assertion_type") != _JWT_BEARER:
                raise Refused(401, "invalid_client", 50027, "The client assertion type is not supported.")
            self._certified(application, assertion, root)
        elif secret := form.get("client_secret"):
            self._secret(application, secret)
        else:
            raise Refused(
                401, "invalid_client", 7000218, "The request must contain 'client_assertion' or 'client_secret'."
            )

    def _secret(self, application: Application, secret: str) -> None:
        for known, until in application.secrets.items():
            if hmac.compare_digest(known.encode(), secret.encode()):
                if until is not None and until <= self._clock():
                    raise Refused(401, "invalid_client", 7000222, "The provided client secret keys are expired.")
                return
        raise Refused(
            401, "invalid_client", 7000215, f"Invalid client secret provided for app '{application.client_id}'."
        )

    def _certified(self, application: Application, assertion: str, root: str) -> None:
        try:
            header = json.loads(_unb64(assertion.partition(".")[0]))
            thumbprint = header.get("x5t#S256") or header.get("x5t") or ""
        except (ValueError, AttributeError) as error:
            raise Refused(401, "invalid_client", 50027, "The JWT is invalid or malformed.") from error
        key = application.certificates.get(str(thumbprint).rstrip("="))
        if key is None:
            raise Refused(401, "invalid_client", 700027, "The certificate with that thumbprint is not registered.")
        try:
            claims = json.loads(jws.deserialize_compact(assertion, key, registry=_registry()).payload)
        except (JoseError, ValueError) as error:
            raise Refused(401, "invalid_client", 700027, "The client assertion failed signature validation.") from error
        self._claims(application, claims, root)

    def _claims(self, application: Application, claims: Mapping[str, Any], root: str) -> None:
        base = f"{root}/{self.id}"
        if claims.get("aud") not in (f"{base}/oauth2/v2.0/token", f"{base}/v2.0"):
            raise Refused(401, "invalid_client", 700023, "The client assertion's audience does not match the issuer.")
        for name in ("iss", "sub"):
            if str(claims.get(name)).casefold() != application.client_id.casefold():
                raise Refused(401, "invalid_client", 700021, f"The client assertion's '{name}' is not the client id.")
        now, begin, end = self._clock(), claims.get("nbf", 0), claims.get("exp")
        if not isinstance(end, int | float) or not isinstance(begin, int | float) or not claims.get("jti"):
            raise Refused(401, "invalid_client", 50027, "The client assertion lacks a claim.")
        if now - _SKEW > datetime.fromtimestamp(end, UTC) or now + _SKEW < datetime.fromtimestamp(begin, UTC):
            raise Refused(401, "invalid_client", 700024, "The client assertion is not within its valid time range.")

    @staticmethod
    def _scope(scope: str, root: str) -> None:
        resource, default, rest = scope.partition("/.default")
        if not default or rest or " " in scope:
            raise Refused(400, "invalid_scope", 1002012, f"The scope '{scope}' is not valid: it must end in /.default.")
        host = urlsplit(resource).netloc.casefold()
        if host not in _GRAPH_ROOTS | {urlsplit(root).netloc.casefold()}:
            raise Refused(400, "invalid_resource", 500011, f"The resource principal '{resource}' was not found.")

    def _token(self, application: Application, root: str) -> str:
        """Looks like a JWT, as Graph's do; nobody but Graph may read it, so its signature is random."""
        now = self._clock()
        expires = now + self.token_life
        claims = {
            "aud": root,
            "iss": f"https://sts.windows.net/{self.id}/",
            "iat": int(now.timestamp()),
            "exp": int(expires.timestamp()),
            "appid": application.client_id,
            "idtyp": "app",
            "tid": self.id,
        }
        header = {"typ": "JWT", "alg": "RS256", "nonce": secrets.token_hex(8)}
        parts = (_b64(json.dumps(header).encode()), _b64(json.dumps(claims).encode()), _b64(secrets.token_bytes(64)))
        token = ".".join(parts)
        with self._lock:
            self._tokens = {known: held for known, held in self._tokens.items() if held[1] > now - timedelta(hours=1)}
            self._tokens[token] = (application.client_id, expires)
        return token

    def _refusal(self, refused: Refused, call: Call) -> Answer:
        trace, correlation = str(uuid4()), call.headers.get("client-request-id") or str(uuid4())
        when = self._clock().strftime("%Y-%m-%d %H:%M:%SZ")
        return Answer(
            status=refused.status,
            payload={
                "error": refused.error,
                "error_description": f"AADSTS{refused.number}: {refused.message} Trace ID: {trace} "
                f"Correlation ID: {correlation} Timestamp: {when}",
                "error_codes": [refused.number],
                "timestamp": when,
                "trace_id": trace,
                "correlation_id": correlation,
                "error_uri": f"{call.root}/error?code={refused.number}",
            },
        )


def _registry() -> jws.JWSRegistry:
    registry = jws.JWSRegistry(algorithms=["RS256", "PS256"])
    registry.max_header_length = 16_384  # the whole certificate may be in it (x5c)
    return registry


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
