"""Azure Artifacts: the feeds of an organisation, in the protocols of six package managers.

Azure Artifacts has no Go modules; they are served here as by the proxies of other vendors, so that
``GOPROXY`` and ``GOAUTH`` can be tried under a host name that is ours.
"""
