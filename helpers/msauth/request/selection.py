"""From options, environment and profile to a `TokenRequest`: the one place that knows who wins.

Options beat `MSAUTH_*` variables, those beat the profile, and that beats `AZURE_*` defaults.
The profile itself: `--profile`, else `MSAUTH_PROFILE`, else what `[match]` in profiles.toml says
of the organisation or the host that a token is for.
"""

from . import clouds, profiles, values
from .kinds import NAMES, home
from .options import PROFILE_KEYS, many, one, usage_error
from .request import MIN_VALID, TokenRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .options import Options


_FIELDS = {
    # field of a request: (its key in a profile, the variable that counts where nothing else does)
    "tenant": ("tenant", "AZURE_TENANT_ID"),
    "client_id": ("client_id", "AZURE_CLIENT_ID"),
    "authority": ("authority_host", "AZURE_AUTHORITY_HOST"),
}


class Selection:
    """What the options, the environment and the profile choose, before it is said what for.

    authority: `https://host[:port]`. cloud: the one that it signs in to. scopes: the profile's
    own, () without any. explicit_tenant: asked for by option, variable or profile, or "".
    """

    __slots__ = (
        *("_fields", "_given", "authority", "env", "explicit_tenant", "options", "profile"),
        "scopes",
    )

    def __init__(
        self, options: "Options", env: "Mapping[str, str]", organisation: str = "", host: str = ""
    ) -> None:
        """Read the profile and check every value; raises UsageError, as `select`."""
        self.env = {**env, "MSAUTH_TRACE": "1"} if "--verbose" in options else env
        self._given = options
        if "--profile" in options:
            self.profile = one(options, "--profile")
        elif "MSAUTH_PROFILE" in env:
            self.profile = env["MSAUTH_PROFILE"]
        else:
            self.profile = profiles.match(organisation, host, env) if organisation or host else ""
        environment = "" if one(options, "--authority-host") else one(options, "--environment")
        scopes = ""
        if self.profile:
            options = dict(options)
            for key, value in profiles.values(self.profile, env).items():
                if key == "scopes":
                    scopes = value
                    continue
                if key == "az_config_dir":
                    folder = home(env) + value[1:] if value.startswith("~/") else value
                    self.env = {**self.env, "AZURE_CONFIG_DIR": folder}
                    continue
                option, variable = PROFILE_KEYS[key]
                if not options.get(option) and not env.get(variable):
                    options[option] = value
        self.options = options
        self.scopes = tuple(scopes.split(" ")) if scopes else ()
        self.authority = self._authority(environment)
        credential = self._pick("--credential", "MSAUTH_CREDENTIAL") or "auto"
        if credential not in NAMES:
            from ..errors import nearest

            near = nearest(credential, NAMES)
            hint = "one of: " + ", ".join(NAMES)
            where = self.origin("credential")
            if near and where.startswith("--"):
                hint = f"did you mean {where} {near}?"
            elif near:
                hint = f"export {where}={near}"
            raise usage_error(f"unknown credential {credential!r} in {where}", hint)
        client_id = self._name("client_id")
        self.explicit_tenant = self._name("tenant").lower()
        self._fields = {
            "credential": credential,
            "profile": self.profile,
            "client_id": client_id,
            "authority": self.authority,
            "instance_discovery": "--disable-instance-discovery" not in options,
            "username": one(options, "--username"),
            "identity_resource_id": self._pick(
                "--identity-resource-id", "MSAUTH_IDENTITY_RESOURCE_ID"
            ),
            "redirect_url": one(options, "--redirect-url"),
            "assertion": one(options, "--assertion"),
            "assertion_audience": one(options, "--assertion-audience"),
            "assertion_identity": one(options, "--assertion-identity"),
            "persist": "--no-persist" not in options,
            "min_valid": values.seconds(
                "--min-valid", one(options, "--min-valid") or str(MIN_VALID)
            ),
            "force_refresh": "--force-refresh" in options,
        }

    @property
    def credential(self) -> str:
        """The kind of credential: one of `kinds.NAMES`."""
        return str(self._fields["credential"])

    @property
    def cloud(self) -> clouds.Cloud:
        """The cloud of the authority; raises UsageError for one that we do not know."""
        return clouds.cloud_of(self.authority)

    def scopes_for(self, word: str) -> tuple[str, ...]:
        """Return the scopes of a product's name or of a scope; raises UsageError."""
        if word.isalpha():
            return (self.cloud.resource(word) + "/.default",)
        return (clouds.normalise_scope(word),)

    def chosen_scopes(self, word: str, default: str) -> tuple[str, ...]:
        """Return the scopes of a product (word), of --scope, of the profile, or of a default.

        Raises UsageError, also for a word beside --scope.
        """
        asked = many(self.options, "--scope")
        if word and asked:
            raise usage_error(f"give either the product {word} or --scope")
        if word:
            return (self.cloud.resource(word) + "/.default",)
        if asked:
            return tuple(dict.fromkeys(map(clouds.normalise_scope, asked)))
        return self.scopes or self.scopes_for(default)

    def request(
        self,
        scopes: tuple[str, ...],
        *,
        interactive: bool = False,
        claims: str | None = None,
        cae: bool | None = None,
        tenant: str | None = None,
        organisation: str = "",
        registry: str = "",
    ) -> TokenRequest:
        """Return the request for these scopes; () asks for the profile's own.

        tenant: where none is explicit. Raises UsageError where there is no scope at all.
        """
        scopes = scopes or self.scopes
        if not scopes:
            raise usage_error("no product or scope is asked for", "name a product, or use --scope")
        tenant = self.explicit_tenant or tenant
        if not tenant and self.env.get("AZURE_CLIENT_ID"):
            # A complete identity in the environment names its home; az's is az's own business.
            tenant = self.env.get("AZURE_TENANT_ID", "")
            values.name("AZURE_TENANT_ID", tenant)
        return TokenRequest(
            scopes,
            self.env,
            tenant=tenant.lower() if tenant else None,
            interactive=interactive,
            claims=claims,
            cae=cae,
            organisation=organisation,
            origin=self.origin,
            registry=registry,
            **self._fields,  # type: ignore[arg-type] # one table for every field
        )

    def _authority(self, environment: str) -> str:
        """Choose by --authority-host, else --environment, the profile, AZURE_AUTHORITY_HOST.

        `--environment AzurePublicCloud`, which kubeconfigs carry without a thought, leaves an
        AZURE_AUTHORITY_HOST alone that is no cloud of Microsoft's but a server of one's own.
        """
        text = self._pick("--authority-host", "AZURE_AUTHORITY_HOST")
        elsewhere = values.authority(self.origin("authority"), text) if text else ""
        if not environment:
            return elsewhere or clouds.PUBLIC.authority
        chosen = clouds.cloud_named(environment)
        if chosen is clouds.PUBLIC and elsewhere and not clouds.is_cloud(elsewhere):
            return elsewhere
        return chosen.authority

    def _pick(self, option: str, variable: str) -> str:
        return one(self.options, option) or self.env.get(variable, "")

    def _name(self, field: str) -> str:
        value = self._pick(*PROFILE_KEYS[field])
        return values.name(self.origin(field), value) if value else ""

    def origin(self, field: str) -> str:
        """Return what chose a field of the request: an option, a variable or a profile's key.

        As a person would look for it: `--tenant`, `MSAUTH_TENANT`, `AZURE_TENANT_ID`, `tenant
        of profile work`; "" where nothing did, and for the tenant of an organisation.
        """
        key, fallback = _FIELDS.get(field, (field, ""))
        option, variable = PROFILE_KEYS[key]
        if self._given.get(option):
            return option
        if variable and self.env.get(variable):
            return variable
        if self.options.get(option):
            return f"{key} of profile {self.profile}"
        if field == "tenant" and not self.env.get("AZURE_CLIENT_ID"):
            return ""
        return fallback if self.env.get(fallback) else ""


def select(
    options: "Options", env: "Mapping[str, str]", *, organisation: str = "", host: str = ""
) -> Selection:
    """Return what options, environment and profile choose.

    organisation, host: what the token is for, in lower case, where a profile may be matched to it.
    Raises UsageError for a value that cannot be meant: an unknown credential, a tenant that is
    neither a GUID nor a domain, an authority that is not https, a bad number of seconds, a
    profile that does not exist or is wrong.
    """
    return Selection(options, env, organisation, host)
