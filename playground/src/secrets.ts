/** Passwords and tokens that are typed into the editor, found by the names of their arguments. */

const WORDS = "password|token|secret|challenge";
/** Names such as newPassword and refreshToken; code, which may be a recovery code; escaped names. */
const SECRET = new RegExp(String.raw`^\$?(?:\w*(?:${WORDS})|code)$|\\`, "i");
/** Comments of GraphQL, and those that GraphiQL allows in variables. */
const COMMENT = String.raw`#.*|//.*|/\*[^]*?(?:\*/|$)`;
/** A string literal of GraphQL or JSON, perhaps unterminated or in the wrong quotes. */
const STRING = String.raw`"""(?:\\"""|[^])*?(?:"""|$)|"(?:[^"\\\n]|\\.)*"?|'[^'\n]*'?`;
const TOKEN = new RegExp(String.raw`(${COMMENT})|${STRING}|\$?\w+|[^\s,]`, "g");
/** The name of an argument that may be a secret, before its value. */
const NAMED = new RegExp(String.raw`(?:${WORDS}|\bcode|\$\w+)["']?\s*:`, "i");
/** The quote that begins or ends a string, unlike an apostrophe within a word. */
const QUOTE = /"|\B'/;

/** A string, a variable or a comment, with the name before its colon, and the outermost one. */
interface Value {
  text: string;
  at: number;
  name: string;
  outermost: string;
  isComment: boolean;
}

/** Return a query with its passwords and tokens emptied, except the `known` ones. */
export function withoutSecrets(query: string, known: readonly string[] = []): string {
  const goes = variablesOf(query);
  return emptied(query, known, ({ text, name, isComment }) =>
    isComment ? isCommentedOut(text) : SECRET.test(name) || goes.get(name) === true,
  );
}

/**
 * Return variables with their secrets emptied, found by their own or their arguments' names.
 *
 * So are those that the query doesn't use: it may be half written, or gone already.
 */
export function withoutSecretValues(
  variables: string,
  query: string,
  known: readonly string[] = [],
): string {
  const goes = variablesOf(query);
  return emptied(variables, known, ({ text, name, outermost, isComment }) =>
    isComment ? QUOTE.test(text) : SECRET.test(name) || goes.get(`$${outermost}`) !== false,
  );
}

/** Return whether a comment has a secret's name before a string, as a commented-out argument. */
function isCommentedOut(comment: string): boolean {
  const at = comment.search(NAMED);
  return at >= 0 && QUOTE.test(comment.slice(at));
}

/** Return the variables that a query uses, and whether each is a secret. */
function variablesOf(query: string): Map<string, boolean> {
  const goes = new Map<string, boolean>();
  for (const { text, name } of valuesOf(query)) {
    if (text.startsWith("$")) goes.set(text, SECRET.test(name) || goes.get(text) === true);
  }
  return goes;
}

/** Return a text without its secrets: an empty string in place of each, and none of a comment. */
function emptied(text: string, known: readonly string[], isSecret: (value: Value) => boolean) {
  const spelt = known.map((each) => JSON.stringify(each));
  let [left, end] = ["", 0];
  for (const value of valuesOf(text)) {
    if (value.text.startsWith("$") || spelt.includes(value.text) || !isSecret(value)) continue;
    left += text.slice(end, value.at) + (value.isComment ? "" : '""');
    end = value.at + value.text.length;
  }
  return left + text.slice(end);
}

/** Yield the strings, variables and comments of GraphQL or JSON. */
function* valuesOf(text: string): Generator<Value> {
  const tokens = [...text.matchAll(TOKEN)];
  const marks = tokens.filter(([, comment]) => comment === undefined).map(([token]) => token);
  let [name, outermost, depth, place] = ["", "", 0, 0];
  for (const { 0: token, 1: comment, index: at } of tokens) {
    const isComment = comment !== undefined;
    const isName = !isComment && marks[++place] === ":";
    depth += Number(token === "{") - Number(token === "}");
    if (isName) {
      name = token.replaceAll(/["']/g, "");
      if (depth < 2) outermost = name;
    } else if (isComment || /^["'$]/.test(token)) {
      yield { text: token, at, name, outermost, isComment };
    }
  }
}
