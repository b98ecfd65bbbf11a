"""Products, scopes and clouds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msauth.errors import UsageError
from msauth.request.clouds import (
    CHINA,
    CLOUDS,
    DEVOPS_SCOPE,
    PRODUCTS,
    PUBLIC,
    USGOV,
    Cloud,
    cloud_named,
    cloud_of,
    normalise_scope,
)
from msauth.request.selection import select

US = "https://login.microsoftonline.us"
CN = "https://login.chinacloudapi.cn"
GUID = "6dae42f8-4368-4678-94ff-3960e28e3630"
NAMES = [
    *("arm", "devops", "graph", "aks", "arc", "storage", "keyvault", "sql", "postgres", "acr"),
    *("databricks", "loganalytics", "kusto", "servicebus", "eventhubs", "cognitive", "ai"),
    *("powerbi", "fabric", "synapse", "appconfig"),
]


def scopes_for(word: str, authority: str) -> tuple[str, ...]:
    return select({"--authority-host": authority}, {}).scopes_for(word)


def test_the_names_are_the_fixed_ones() -> None:
    assert list(PRODUCTS) == NAMES


@pytest.mark.parametrize(
    ("product", "authority", "scope"),
    [
        ("arm", PUBLIC.authority, "https://management.azure.com/.default"),
        ("arm", US, "https://management.usgovcloudapi.net/.default"),
        ("arm", CN, "https://management.chinacloudapi.cn/.default"),
        ("devops", PUBLIC.authority, DEVOPS_SCOPE),
        ("graph", US, "https://graph.microsoft.us/.default"),
        ("graph", CN, "https://microsoftgraph.chinacloudapi.cn/.default"),
        ("aks", US, f"{GUID}/.default"),
        ("keyvault", CN, "https://vault.azure.cn/.default"),
        ("powerbi", PUBLIC.authority, "https://analysis.windows.net/powerbi/api/.default"),
        ("storage", CN, "https://storage.azure.com/.default"),
        # Servers of one's own are no clouds: the public names.
        ("arm", "https://adfs.contoso.com", "https://management.azure.com/.default"),
        ("arm", "https://127.0.0.1:8443", "https://management.azure.com/.default"),
        (
            "arm",
            "https://login.microsoftonline.us.evil.example",
            PUBLIC.resources["arm"] + "/.default",
        ),
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
        ("key-vault", PUBLIC.authority, "unknown product 'key-vault'", "did you mean keyvault?"),
        ("", PUBLIC.authority, "unknown product ''", "--list-products"),
        ("arm", "https://login.microsoftonline.de", "not known here", "--scope"),
        ("arm", "https://login-us.microsoftonline.com", "not known here", "--scope"),
        ("arm", "https://login.sovcloud-identity.fr", "not known here", "--scope"),
    ],
)
def test_no_scopes(product: str, authority: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        cloud_of(authority).resource(product)
    assert message in raised.value.message
    assert hint in (raised.value.hint or "")


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.name)
def test_every_resource_becomes_the_same_scope_by_either_way(cloud: Cloud) -> None:
    assert set(cloud.resources) <= set(PRODUCTS)
    for name in PRODUCTS:
        if name in cloud.resources:
            resource = cloud.resource(name)
            assert scopes_for(name, cloud.authority) == (normalise_scope(resource),)
            assert scopes_for(resource, cloud.authority) == (normalise_scope(resource),)
            assert f"{resource}/.default\n" in cloud.listing()
            assert cloud.product(f"{resource}/.default") == name
        else:
            assert f"{name} " not in cloud.listing()


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        (GUID, f"{GUID}/.default"),
        (GUID.upper(), f"{GUID}/.default"),
        ("https://management.azure.com", "https://management.azure.com/.default"),
        ("https://datalake.azure.net/", "https://datalake.azure.net//.default"),
        ("https://storage.azure.com/.default", "https://storage.azure.com/.default"),
        ("https://graph.microsoft.com/User.Read", "https://graph.microsoft.com/User.Read"),
        ("https://analysis.windows.net/powerbi/api", PUBLIC.resources["powerbi"] + "/.default"),
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
        ("AzurePublicCloud", PUBLIC.authority, PUBLIC),
        ("AzureCloud", PUBLIC.authority, PUBLIC),
        ("AzureUSGovernment", US, USGOV),
        ("AzureUSGovernmentCloud", US, USGOV),
        ("AZUREUSGOVERNMENTCLOUD", US, USGOV),
        ("AzureChinaCloud", CN, CHINA),
    ],
)
def test_authorities(name: str, authority: str, cloud: Cloud) -> None:
    assert cloud_named(name) is cloud
    assert cloud.authority == authority
    assert cloud_of(authority) is cloud


@pytest.mark.parametrize("name", ["", "AzureGermanCloud", "AzureStackCloud", "public"])
def test_an_unknown_cloud_is_never_the_public_one(name: str) -> None:
    with pytest.raises(UsageError, match="unknown cloud"):
        cloud_named(name)


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.name)
def test_every_name_of_a_sign_in_host_is_the_same_cloud(cloud: Cloud) -> None:
    """login.usgovcloudapi.net once had the public scopes: its tokens were for another cloud."""
    for host in cloud.login_hosts:
        assert cloud_of(f"https://{host}") is cloud
        assert scopes_for("arm", f"https://{host.upper()}") == scopes_for("arm", cloud.authority)


def test_the_older_name_of_the_us_sign_in_has_us_scopes() -> None:
    assert scopes_for("arm", "https://login.usgovcloudapi.net") == (
        "https://management.usgovcloudapi.net/.default",
    )
    assert scopes_for("graph", "https://login.usgovcloudapi.net") == (
        "https://graph.microsoft.us/.default",
    )
