/**
 * The operations that the page itself sends, each one text.
 *
 * A server that runs trusted documents alone knows them by these texts: plain literals, one an
 * operation, without anything put into them.
 */
export const SIGN_IN = `mutation SignIn($email: String!, $password: String!) {
  login(email: $email, password: $password) {
    status
    message
    retryAfter
    errors { code field message }
    token
    expiresAt
    refreshToken
    customer { name email isAdmin }
  }
}`;

export const REGISTER = `mutation Register($input: RegisterInput!) {
  register(input: $input) {
    status
    message
    retryAfter
    errors { code field message }
    token
    expiresAt
    refreshToken
    customer { name email isAdmin }
  }
}`;

export const REFRESH = `mutation Refresh($refreshToken: String!) {
  refresh(refreshToken: $refreshToken) {
    status
    message
    retryAfter
    errors { code field message }
    token
    expiresAt
    refreshToken
    customer { name email isAdmin }
  }
}`;

export const SIGN_OUT = `mutation SignOut { logout { status } }`;

export const ME = `query Me { me { name email isAdmin } }`;

export const REQUEST_PASSWORD_RESET = `mutation RequestPasswordReset($email: String!) {
  requestPasswordReset(email: $email) {
    status
    message
    retryAfter
    errors { code field message }
  }
}`;

export const RESET_PASSWORD = `mutation ResetPassword($token: String!, $newPassword: String!) {
  resetPassword(token: $token, newPassword: $newPassword) {
    status
    message
    retryAfter
    errors { code field message }
  }
}`;
