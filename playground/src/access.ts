/** The access rule of a field: the last sentences of its description, if it is not public. */

/** The sentences that the server generates from a field's permissions. */
const SENTENCES =
  /(?:^|[.:]\s+)((?:(?:Signed in only|Signed in, with|Needs |Null unless )[^.]*\.\s*)+)$/;

/** Return the access rule in a description, without its alternatives; null if there is none. */
export function access(description: string | null | undefined): string | null {
  const [told] = SENTENCES.exec(description ?? "")?.[1]?.split(", or ") ?? [];
  return told?.trim().replace(/\.$/, "") ?? null;
}
