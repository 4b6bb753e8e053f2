/** Passwords and tokens that are typed into the editor: found by the names of what they are for. */

/** Names such as newPassword and refreshToken, and code, which may be one that recovers. */
const NAME = String.raw`\b(?:\w*(?:password|token|secret|challenge)|code)\b`;
/** A string as GraphQL and JSON write it, perhaps without its end yet. */
const STRING = String.raw`"""[^]*?(?:"""|$)|"(?!"")(?:[^"\\\n]|\\.)*"?`;
/** What GraphQL passes over: blanks, commas and comments. */
const GAP = String.raw`(?:[\s,]|#[^\n]*\n)*`;
/** `password: "…"`, and `$password: String! = "…"`. */
const SET = new RegExp(`(${NAME}${GAP}:${GAP}(?:[[\\]\\w!]+${GAP}=${GAP})?)(${STRING})`, "gi");
/** `password: $p`. */
const PASSED = new RegExp(`${NAME}${GAP}:${GAP}\\$(\\w+)`, "gi");
/** `"p": "…"`. */
const VALUE = new RegExp(`("(\\w+)"\\s*:\\s*)(${STRING})`, "g");
const SECRET = new RegExp(`^${NAME}$`, "i");

/** Empty the strings that a query has for passwords and tokens. */
export function withoutSecrets(query: string, known: readonly string[] = []): string {
  return query.replace(SET, (_, before: string, string: string) => before + kept(string, known));
}

/** Empty those of variables: the secrets by their own names, and by where the query passes them. */
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

/** Write an empty string; what everybody knows stays as it is. */
function kept(string: string, known: readonly string[]): string {
  return known.some((each) => JSON.stringify(each) === string) ? string : '""';
}
