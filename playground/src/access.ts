/** Who may ask for a field: the last sentences of its description, if it is not for everybody. */

/** Such sentences, which the server writes from the field's permissions. */
const SENTENCES =
  /(?:^|[.:]\s+)((?:(?:Signed in only|Signed in, with|Needs |Null unless )[^.]*\.\s*)+)$/;

/** Read who may ask out of a description, without an alternative; null if it doesn't say. */
export function access(description: string | null | undefined): string | null {
  const [told] = SENTENCES.exec(description ?? "")?.[1]?.split(", or ") ?? [];
  return told?.trim().replace(/\.$/, "") ?? null;
}
