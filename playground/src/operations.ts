/** The page's own operations; the build lists them as trusted documents for the server. */
import { getIntrospectionQuery } from "graphql";

const PAYLOAD = "status message retryAfter errors { code field message }";
const TOKENS = `${PAYLOAD} token expiresAt refreshToken customer { name email isAdmin }` as const;
/** The payload of a sign-in, which may need a second factor. */
const SIGNED_IN = `${TOKENS} secondFactor { challenge methods passkeyOptions }` as const;

/** The bar's operations. Literal types, so that the compiler allows no other text to be sent. */
export const SIGN_IN = `mutation SignIn($email: String!, $password: String!) {
  login(email: $email, password: $password) { ${SIGNED_IN} }
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
export const VERIFY_SECOND_FACTOR =
  `mutation VerifySecondFactor($challenge: String!, $code: String, $passkey: JSON) {
  verifySecondFactor(challenge: $challenge, code: $code, passkey: $passkey) { ${SIGNED_IN} }
}` as const;
export const BEGIN_PASSKEY_SIGN_IN = `mutation BeginPasskeySignIn {
  beginPasskeySignIn { ${PAYLOAD} options }
}` as const;
export const SIGN_IN_WITH_PASSKEY = `mutation SignInWithPasskey($credential: JSON!) {
  signInWithPasskey(credential: $credential) { ${SIGNED_IN} }
}` as const;
export const REAUTHENTICATE =
  `mutation Reauthenticate($password: String, $code: String, $passkey: JSON) {
  reauthenticate(password: $password, code: $code, passkey: $passkey) { ${PAYLOAD} }
}` as const;
export const FACTORS = `query Factors {
  me { secondFactors { id method name createdAt lastUsedAt } recoveryCodesLeft }
}` as const;
export const BEGIN_CODES = `mutation BeginCodes {
  beginCodes { ${PAYLOAD} secret uri qrCode }
}` as const;
export const CONFIRM_CODES = `mutation ConfirmCodes($code: String!) {
  confirmCodes(code: $code) { ${PAYLOAD} codes }
}` as const;
export const BEGIN_PASSKEY = `mutation BeginPasskey {
  beginPasskey { ${PAYLOAD} options }
}` as const;
export const CONFIRM_PASSKEY = `mutation ConfirmPasskey($credential: JSON!, $name: String) {
  confirmPasskey(credential: $credential, name: $name) { ${PAYLOAD} codes }
}` as const;
export const RENAME_SECOND_FACTOR = `mutation RenameSecondFactor($id: ID!, $name: String!) {
  renameSecondFactor(id: $id, name: $name) { ${PAYLOAD} }
}` as const;
export const REMOVE_SECOND_FACTOR = `mutation RemoveSecondFactor($id: ID!) {
  removeSecondFactor(id: $id) { ${PAYLOAD} }
}` as const;
export const RENEW_RECOVERY_CODES = `mutation RenewRecoveryCodes {
  renewRecoveryCodes { ${PAYLOAD} codes }
}` as const;

const BAR = {
  SIGN_IN,
  REGISTER,
  REFRESH,
  SIGN_OUT,
  ME,
  REQUEST_PASSWORD_RESET,
  VERIFY_SECOND_FACTOR,
  BEGIN_PASSKEY_SIGN_IN,
  SIGN_IN_WITH_PASSKEY,
  REAUTHENTICATE,
  FACTORS,
  BEGIN_CODES,
  CONFIRM_CODES,
  BEGIN_PASSKEY,
  CONFIRM_PASSKEY,
  RENAME_SECOND_FACTOR,
  REMOVE_SECOND_FACTOR,
  RENEW_RECOVERY_CODES,
};

/** The type of the bar's operations: a text that is missing from BAR is none of them. */
export type Own = (typeof BAR)[keyof typeof BAR];

/** GraphiQL's introspection query; its second attempt is INTROSPECTION_AGAIN below. */
const INTROSPECTION = getIntrospectionQuery({
  inputValueDeprecation: false,
  schemaDescription: false,
});

/** All operations; the keys are never sent. */
export const OPERATIONS: Record<string, string> = {
  ...BAR,
  INTROSPECTION,
  INTROSPECTION_AGAIN: INTROSPECTION.replace("subscriptionType { name }", ""),
};
