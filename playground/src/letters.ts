/** Links of letters that lead here, as those that reset passwords did: they have pages now. */

/** Return the page for a link, by the fragment of its address; null if it has no token. */
export function pageOf(hash: string): string | null {
  const hasToken = new URLSearchParams(hash.replace(/^#/, "")).has("token");
  return hasToken ? `account/reset${hash}` : null;
}
