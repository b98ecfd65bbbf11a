// A client that asks for tokens as programs written in Go do, for the tests of msauth-run --serve.
//
//	goclients terraform RESOURCE…   go-azure-sdk, as Terraform's azurerm and azuread build it
//	goclients managed SCOPE…        azidentity's ManagedIdentityCredential
//	goclients default SCOPE…        azidentity's DefaultAzureCredential
//	goclients azd SCOPE…            azidentity's AzureDeveloperCLICredential (runs azd from PATH)
//
// RESOURCE is `arm` or `graph`. For each token it prints a line: audience, tenant, and the seconds
// that the client believes the token will live. The token itself is never printed.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/hashicorp/go-azure-sdk/sdk/auth"
	"github.com/hashicorp/go-azure-sdk/sdk/environments"
)

func main() {
	if os.Getenv("GOCLIENTS_LOG") == "" {
		log.SetOutput(io.Discard)
	}
	if len(os.Args) < 3 {
		fail("usage: goclients terraform|managed|default|azd NAME…")
	}
	timeout := 60 * time.Second
	if text := os.Getenv("GOCLIENTS_TIMEOUT"); text != "" {
		var err error
		if timeout, err = time.ParseDuration(text); err != nil {
			fail(err.Error())
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for _, name := range os.Args[2:] {
		token, expires, err := ask(ctx, os.Args[1], name)
		if err != nil {
			fail(err.Error())
		}
		report(token, expires)
	}
}

func ask(ctx context.Context, kind, name string) (string, time.Time, error) {
	if kind == "terraform" {
		return askAsTerraform(ctx, name)
	}
	var credential azcore.TokenCredential
	var err error
	switch kind {
	case "managed":
		credential, err = azidentity.NewManagedIdentityCredential(managedIdentityOptions())
	case "default":
		credential, err = azidentity.NewDefaultAzureCredential(nil)
	case "azd":
		credential, err = azidentity.NewAzureDeveloperCLICredential(nil)
	default:
		err = fmt.Errorf("no client is called %s", kind)
	}
	if err != nil {
		return "", time.Time{}, err
	}
	token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{name}})
	return token.Token, token.ExpiresOn, err
}

func managedIdentityOptions() *azidentity.ManagedIdentityCredentialOptions {
	id := os.Getenv("GOCLIENTS_CLIENT_ID")
	if id == "" {
		return nil
	}
	return &azidentity.ManagedIdentityCredentialOptions{ID: azidentity.ClientID(id)}
}

// askAsTerraform fills Credentials from ARM_* as the providers and the azurerm backend do with
// `use_msi`. ARM_MSI_API_VERSION is read by azurerm alone: GOCLIENTS_API_VERSION stands for it.
func askAsTerraform(ctx context.Context, name string) (string, time.Time, error) {
	environment := environments.AzurePublic()
	var api environments.Api
	switch name {
	case "arm":
		api = environment.ResourceManager
	case "graph":
		api = environment.MicrosoftGraph
	default:
		return "", time.Time{}, fmt.Errorf("no resource is called %s", name)
	}
	credentials := auth.Credentials{
		Environment:                              *environment,
		ClientID:                                 os.Getenv("ARM_CLIENT_ID"),
		TenantID:                                 os.Getenv("ARM_TENANT_ID"),
		EnableAuthenticatingUsingManagedIdentity: os.Getenv("ARM_USE_MSI") == "true",
		CustomManagedIdentityEndpoint:            os.Getenv("ARM_MSI_ENDPOINT"),
		CustomManagedIdentityAPIVersion:          os.Getenv("GOCLIENTS_API_VERSION"),
	}
	authorizer, err := auth.NewAuthorizerFromCredentials(ctx, credentials, api)
	if err != nil {
		return "", time.Time{}, err
	}
	token, err := authorizer.Token(ctx, nil)
	if err != nil {
		return "", time.Time{}, err
	}
	return token.AccessToken, token.Expiry, nil
}

func report(token string, expires time.Time) {
	claims := struct {
		Audience string `json:"aud"`
		Tenant   string `json:"tid"`
	}{"opaque", "none"}
	if parts := strings.Split(token, "."); len(parts) == 3 {
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil || json.Unmarshal(payload, &claims) != nil {
			fail("the token is no JWT")
		}
	}
	life := "unknown"
	if !expires.IsZero() {
		life = fmt.Sprintf("%.0f", time.Until(expires).Seconds())
	}
	fmt.Println(claims.Audience, claims.Tenant, life)
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "goclients: error:", message)
	os.Exit(1)
}
