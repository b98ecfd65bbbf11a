// A client that asks for tokens as programs written in JavaScript do; NODE_PATH names the SDKs.
//
//   node clients.js managed|default|managed-2021 SCOPE…
//   node clients.js nodeauth RESOURCE…      ms-rest-nodeauth: App Service of api-version 2017-09-01
//
// For each token it prints a line: audience, tenant, and the seconds that the client believes the
// token will live. The token itself is never printed.
"use strict";

const asked = {
  async managed(scope) {
    const { ManagedIdentityCredential } = require("@azure/identity");
    return modern(new ManagedIdentityCredential(), scope);
  },
  async default(scope) {
    const { DefaultAzureCredential } = require("@azure/identity");
    return modern(new DefaultAzureCredential(), scope);
  },
  async "managed-2021"(scope) {
    const { ManagedIdentityCredential } = require("identity-of-2021");
    return modern(new ManagedIdentityCredential(), scope);
  },
  async nodeauth(resource) {
    const { loginWithAppServiceMSI } = require("@azure/ms-rest-nodeauth");
    const credentials = await loginWithAppServiceMSI({ resource });
    const { accessToken, expiresOn } = await credentials.getToken();
    return { token: accessToken, expires: new Date(expiresOn).getTime() };
  },
};

async function modern(credential, scope) {
  const { token, expiresOnTimestamp } = await credential.getToken(scope);
  return { token, expires: expiresOnTimestamp };
}

async function main([kind, ...names]) {
  for (const name of names) {
    const { token, expires } = await asked[kind](name);
    const { aud, tid } = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
    const life = Number.isFinite(expires) ? Math.round((expires - Date.now()) / 1000) : "unknown";
    console.log(aud, tid, life);
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`clients.js: error: ${error.message}`);
  process.exit(1);
});
