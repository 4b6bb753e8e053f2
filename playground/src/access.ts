/** Who may ask for a field: the last sentence of its description, if it is not for everybody. */

/** Such sentences, which the server writes from the field's permission. */
const SENTENCE = /(?:^|[.:]\s+)((?:Signed in only|Needs |Null unless )[^.]*)\.\s*$/;

/** Read who may ask out of a description, without what follows a comma; null if it doesn't say. */
export function access(description: string | null | undefined): string | null {
  return SENTENCE.exec(description ?? "")?.[1]?.split(",")[0] ?? null;
}
