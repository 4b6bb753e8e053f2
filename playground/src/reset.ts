/** The link of a letter that resets a password: its token goes from the address into the editor. */

/** Take the token out of an address's fragment; null if there is none. */
export function resetToken(hash: string): string | null {
  return new URLSearchParams(hash.replace(/^#/, "")).get("token");
}

/** Write the operation that the token is good for. */
export function resetting(token: string): string {
  return `# Type a new password, and run this.
mutation ResetPassword {
  resetPassword(
    token: ${JSON.stringify(token)}
    newPassword: ""
  ) {
    status
    message
    errors { code field message }
  }
}
`;
}
