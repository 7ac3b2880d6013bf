// npm's certified oidc-provider, with its own development pages for login and consent: a
// provider that shares no line with this project.
import { Provider } from "oidc-provider";

const { ISSUER, PORT, CLIENT_ID, CLIENT_SECRET, BASE_URL } = process.env;

const provider = new Provider(ISSUER, {
  clients: [
    {
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET,
      token_endpoint_auth_method: "client_secret_basic",
      id_token_signed_response_alg: "RS256",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      redirect_uris: [`${BASE_URL}/api/auth/callback`],
      post_logout_redirect_uris: [`${BASE_URL}/`],
      // Plain http on localhost is for native applications only, by its rules.
      application_type: "native",
    },
  ],
  claims: { openid: ["sub"], profile: ["name"], email: ["email", "email_verified"] },
  // As most providers do: the profile is in the ID token, not only at userinfo.
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      name: `${id[0].toUpperCase()}${id.slice(1)} at oidc-provider`,
      email: `${id}@example.com`,
      email_verified: true,
    }),
  }),
});

provider.listen(Number(PORT), new URL(ISSUER).hostname === "localhost" ? "localhost" : "127.0.0.1");
