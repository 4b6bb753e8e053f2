/** What the page sends by itself: the build lists it, and a server with a list trusts it too. */
import { getIntrospectionQuery } from "graphql";

const PAYLOAD = "status message retryAfter errors { code field message }";
const TOKENS = `${PAYLOAD} token expiresAt refreshToken customer { name email isAdmin }` as const;

/** What the bar sends. Their types are their very texts, so that it can send no other. */
export const SIGN_IN = `mutation SignIn($email: String!, $password: String!) {
  login(email: $email, password: $password) { ${TOKENS} }
}` as const;
export const REGISTER = `mutation Register($input: RegisterInput!) {
  register(input: $input) { ${TOKENS} }
}` as const;
export const REFRESH = `mutation Refresh($refreshToken: String!) {
  refresh(refreshToken: $refreshToken) { ${TOKENS} }
}` as const;
export const SIGN_OUT = "mutation SignOut { logout { status } }" as const;
export const ME = "query Me { me { name email isAdmin } }" as const;
export const REQUEST_PASSWORD_RESET = `mutation RequestPasswordReset($email: String!) {
  requestPasswordReset(email: $email) { ${PAYLOAD} }
}` as const;

const BAR = {
  SIGN_IN,
  REGISTER,
  REFRESH,
  SIGN_OUT,
  ME,
  REQUEST_PASSWORD_RESET,
};

/** The type of what the bar may send: what is missing above is no such text. */
export type Own = (typeof BAR)[keyof typeof BAR];

/** What GraphiQL asks for the schema by, and by what it tries again. */
const INTROSPECTION = getIntrospectionQuery({
  inputValueDeprecation: false,
  schemaDescription: false,
});

/** All of them, by names that nobody sends. */
export const OPERATIONS: Record<string, string> = {
  ...BAR,
  INTROSPECTION,
  INTROSPECTION_AGAIN: INTROSPECTION.replace("subscriptionType { name }", ""),
};
