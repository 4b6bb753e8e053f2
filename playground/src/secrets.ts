/** Passwords and tokens that are typed into the editor, found by the names of their arguments. */

/** Names such as newPassword and refreshToken, and code, which may be a recovery code. */
const NAME = String.raw`\b(?:\w*(?:password|token|secret|challenge)|code)\b`;
/** A string literal of GraphQL or JSON, perhaps unterminated. */
const STRING = String.raw`"""[^]*?(?:"""|$)|"(?!"")(?:[^"\\\n]|\\.)*"?`;
/** Tokens that GraphQL ignores: whitespace, commas and comments. */
const GAP = String.raw`(?:[\s,]|#[^\n]*\n)*`;
/** `password: "…"`, and `$password: String! = "…"`. */
const SET = new RegExp(`(${NAME}${GAP}:${GAP}(?:[[\\]\\w!]+${GAP}=${GAP})?)(${STRING})`, "gi");
/** `password: $p`. */
const PASSED = new RegExp(`${NAME}${GAP}:${GAP}\\$(\\w+)`, "gi");
/** `"p": "…"`. */
const VALUE = new RegExp(`("(\\w+)"\\s*:\\s*)(${STRING})`, "g");
const SECRET = new RegExp(`^${NAME}$`, "i");

/** Return a query with its passwords and tokens emptied, except the `known` ones. */
export function withoutSecrets(query: string, known: readonly string[] = []): string {
  return query.replace(SET, (_, before: string, string: string) => before + kept(string, known));
}

/** Return variables with their secrets emptied, found by their own or their arguments' names. */
export function withoutSecretValues(
  variables: string,
  query: string,
  known: readonly string[] = [],
): string {
  const passed = new Set([...query.matchAll(PASSED)].map(([, name]) => name));
  return variables.replace(VALUE, (all, before: string, name: string, string: string) =>
    passed.has(name) || SECRET.test(name) ? before + kept(string, known) : all,
  );
}

/** Return an empty string literal; a known value stays as it is. */
function kept(string: string, known: readonly string[]): string {
  return known.some((each) => JSON.stringify(each) === string) ? string : '""';
}
