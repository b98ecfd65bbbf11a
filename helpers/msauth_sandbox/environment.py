"""The environment variables that put a client into the sandbox, and those that would mislead it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .network import java

# Anything here in the caller's environment would choose another identity than the sandbox's.
IDENTITY_VARIABLES = (
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ARM_CLIENT_CERTIFICATE",
    "ARM_CLIENT_CERTIFICATE_PASSWORD",
    "ARM_CLIENT_CERTIFICATE_PATH",
    "ARM_CLIENT_ID",
    "ARM_CLIENT_SECRET",
    "ARM_MSI_ENDPOINT",
    "ARM_OIDC_TOKEN",
    "ARM_OIDC_TOKEN_FILE_PATH",
    "ARM_SUBSCRIPTION_ID",
    "ARM_TENANT_ID",
    "ARM_USE_MSI",
    "AZD_AUTH_ENDPOINT",
    "AZD_AUTH_KEY",
    "AZURESUBSCRIPTION_CLIENT_ID",
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
    "AZURESUBSCRIPTION_TENANT_ID",
    "AZURE_ACCESS_TOKEN",
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN",
    "AZURE_CONFIG_DIR",
    "AZURE_FEDERATED_TOKEN",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_PASSWORD",
    "AZURE_REGIONAL_AUTHORITY_NAME",
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_TENANT_ID",
    "AZURE_TOKEN_CREDENTIALS",
    "AZURE_USERNAME",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "IDENTITY_SERVER_THUMBPRINT",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
    "MSI_SECRET",
    "SYSTEM_ACCESSTOKEN",
    "SYSTEM_OIDCREQUESTURI",
)


def network(port: int, ca_file: Path) -> dict[str, str]:
    """Proxy and CA for every client that was tried: git, curl, az, SDKs and package managers."""
    proxy, ca, direct = f"http://127.0.0.1:{port}", str(ca_file), "127.0.0.1,localhost"
    maven = {
        "https.proxyHost": "127.0.0.1",
        "https.proxyPort": str(port),
        "aether.connector.http.useSystemProperties": "true",
        "javax.net.ssl.trustStore": str(ca_file.with_suffix(".jks")),
        "javax.net.ssl.trustStorePassword": java.PASSWORD,
    }
    return {
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "HTTP_PROXY": proxy,
        "http_proxy": proxy,
        "NO_PROXY": direct,
        "no_proxy": direct,
        "REQUESTS_CA_BUNDLE": ca,
        "CURL_CA_BUNDLE": ca,
        "SSL_CERT_FILE": ca,
        "GIT_SSL_CAINFO": ca,
        "NODE_EXTRA_CA_CERTS": ca,
        "npm_config_cafile": ca,
        "PIP_CERT": ca,
        "CARGO_HTTP_CAINFO": ca,
        "YARN_HTTPS_PROXY": proxy,
        "YARN_HTTP_PROXY": proxy,
        "MAVEN_OPTS": " ".join(f"-D{name}={value}" for name, value in maven.items()),
        "AZURE_CORE_COLLECT_TELEMETRY": "0",
        "AZURE_CORE_SURVEY_MESSAGE": "0",
        "AZURE_CORE_LOGIN_EXPERIENCE_V2": "0",
    }


def kubeconfig(host: str, ca_file: Path, user: dict[str, Any]) -> str:
    """A kubeconfig of one cluster, in JSON, which is YAML too."""
    cluster = {"server": f"https://{host}:443", "certificate-authority": str(ca_file)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "hello", "cluster": cluster}],
        "users": [{"name": "hello", "user": user}],
        "contexts": [{"name": "hello", "context": {"cluster": "hello", "user": "hello"}}],
        "current-context": "hello",
    }
    return json.dumps(config, indent=1)
