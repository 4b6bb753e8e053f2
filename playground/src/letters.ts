/** Links of older letters, which led here to reset a password; now account/reset does that. */

/** Return the account page for a link by its URL's fragment; null if that has no token. */
export function pageOf(hash: string): string | null {
  const hasToken = new URLSearchParams(hash.replace(/^#/, "")).has("token");
  return hasToken ? `account/reset${hash}` : null;
}
