"""Products, scopes and clouds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msauth.errors import UsageError
from msauth.request.clouds import (
    CHINA,
    CLOUDS,
    PRODUCTS,
    PUBLIC,
    USGOV,
    authority_for,
    cloud_of,
    listing,
    normalise_scope,
    scopes_for,
)
from msauth.request.request import DEVOPS_SCOPE, PUBLIC_AUTHORITY

US = "https://login.microsoftonline.us"
CN = "https://login.chinacloudapi.cn"
GUID = "6dae42f8-4368-4678-94ff-3960e28e3630"
NAMES = [
    *("arm", "devops", "graph", "aks", "arc", "storage", "keyvault", "sql", "postgres", "acr"),
    *("databricks", "loganalytics", "kusto", "servicebus", "eventhubs", "cognitive", "ai"),
    *("powerbi", "fabric", "synapse", "appconfig"),
]


def test_the_names_are_the_fixed_ones() -> None:
    assert list(PRODUCTS) == NAMES


@pytest.mark.parametrize(
    ("product", "authority", "scope"),
    [
        ("arm", PUBLIC_AUTHORITY, "https://management.azure.com/.default"),
        ("arm", US, "https://management.usgovcloudapi.net/.default"),
        ("arm", CN, "https://management.chinacloudapi.cn/.default"),
        ("devops", PUBLIC_AUTHORITY, DEVOPS_SCOPE),
        ("graph", US, "https://graph.microsoft.us/.default"),
        ("graph", CN, "https://microsoftgraph.chinacloudapi.cn/.default"),
        ("aks", US, f"{GUID}/.default"),
        ("keyvault", CN, "https://vault.azure.cn/.default"),
        ("powerbi", PUBLIC_AUTHORITY, "https://analysis.windows.net/powerbi/api/.default"),
        ("storage", CN, "https://storage.azure.com/.default"),
        # Servers of one's own are no clouds: the public names.
        ("arm", "https://adfs.contoso.com", "https://management.azure.com/.default"),
        ("arm", "https://127.0.0.1:8443", "https://management.azure.com/.default"),
        ("arm", "https://login.microsoftonline.us.evil.example", PRODUCTS["arm"][0] + "/.default"),
    ],
)
def test_scopes(product: str, authority: str, scope: str) -> None:
    assert scopes_for(product, authority) == (scope,)


@pytest.mark.parametrize(
    ("product", "authority", "message", "hint"),
    [
        ("devops", CN, "devops does not exist in AzureChinaCloud", "--list-products"),
        ("devops", US, "devops does not exist in AzureUSGovernment", "--list-products"),
        ("fabric", CN, "fabric does not exist", "--list-products"),
        ("key-vault", PUBLIC_AUTHORITY, "unknown product 'key-vault'", "did you mean keyvault?"),
        ("", PUBLIC_AUTHORITY, "unknown product ''", "--list-products"),
        ("arm", "https://login.microsoftonline.de", "not known here", "--scope"),
        ("arm", "https://login.sovcloud-identity.fr", "not known here", "--scope"),
    ],
)
def test_no_scopes(product: str, authority: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        scopes_for(product, authority)
    assert message in raised.value.message
    assert hint in (raised.value.hint or "")


@pytest.mark.parametrize("cloud", range(len(CLOUDS)))
def test_every_resource_becomes_the_same_scope_by_either_way(cloud: int) -> None:
    authority = authority_for(CLOUDS[cloud])
    for name, resources in PRODUCTS.items():
        if resources[cloud]:
            assert scopes_for(name, authority) == (normalise_scope(resources[cloud]),)
            assert f"{resources[cloud]}/.default\n" in listing(authority)
        else:
            assert f"{name} " not in listing(authority)


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        (GUID, f"{GUID}/.default"),
        (GUID.upper(), f"{GUID}/.default"),
        ("https://management.azure.com", "https://management.azure.com/.default"),
        ("https://datalake.azure.net/", "https://datalake.azure.net//.default"),
        ("https://storage.azure.com/.default", "https://storage.azure.com/.default"),
        ("https://graph.microsoft.com/User.Read", "https://graph.microsoft.com/User.Read"),
        ("https://analysis.windows.net/powerbi/api", PRODUCTS["powerbi"][0] + "/.default"),
        (f"{GUID}/user.read", f"{GUID}/user.read"),
        (f"api://{GUID}", f"api://{GUID}/.default"),
        ("api://hello", "api://hello/.default"),
        (f"api://{GUID}/access", f"api://{GUID}/access"),
        (f"api://{GUID}/{GUID}", f"api://{GUID}/{GUID}/.default"),
        ("User.Read", "User.Read"),
    ],
)
def test_normalise_scope(text: str, scope: str) -> None:
    assert normalise_scope(text) == scope
    assert normalise_scope(scope) == scope


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", None),
        ("a b", None),
        ("https://x/\n", None),
        ("https://x/\x00", None),
        ('https://x/"', None),
        ("https://x/ü", None),
        ("graph", "graph is a product"),
        ("openid", "--scope takes"),
        ("https://", None),
        ("api:///x", None),
    ],
)
def test_what_is_no_scope(text: str, hint: str | None) -> None:
    with pytest.raises(UsageError) as raised:
        normalise_scope(text)
    if hint:
        assert hint in (raised.value.hint or "")


@given(st.text())
def test_a_scope_never_holds_what_could_be_two(text: str) -> None:
    try:
        scope = normalise_scope(text)
    except UsageError:
        return
    assert scope.isascii()
    assert scope.isprintable()
    assert not set(scope) & set(' "\\')


@pytest.mark.parametrize(
    ("name", "authority", "cloud"),
    [
        ("AzurePublicCloud", PUBLIC_AUTHORITY, PUBLIC),
        ("AzureCloud", PUBLIC_AUTHORITY, PUBLIC),
        ("AzureUSGovernment", US, USGOV),
        ("AzureUSGovernmentCloud", US, USGOV),
        ("AZUREUSGOVERNMENTCLOUD", US, USGOV),
        ("AzureChinaCloud", CN, CHINA),
    ],
)
def test_authorities(name: str, authority: str, cloud: int) -> None:
    assert authority_for(name) == authority
    assert cloud_of(authority) == cloud


@pytest.mark.parametrize("name", ["", "AzureGermanCloud", "AzureStackCloud", "public"])
def test_an_unknown_cloud_is_never_the_public_one(name: str) -> None:
    with pytest.raises(UsageError, match="unknown cloud"):
        authority_for(name)
