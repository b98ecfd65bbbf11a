"""`msauth-token`: a token for a Kubernetes client, a script or a person."""
