/** The editor's initial text: a short tour of the API, as named operations. */
import type { Facts } from "./facts";

/** The tour's variables: a null cursor asks for the first page. */
export const VARIABLES = JSON.stringify({ after: null }, null, 2);

/** The initial text of further tabs. */
export const NEW_TAB = `query Token {
  token { valid reason message }
}
`;

const PLACEHOLDER = { email: "you@example.com", password: "your password" };

/** Return the passwords that the tour or the page itself shows: they are no secrets. */
export function passwords({ signIns }: Facts): string[] {
  return [PLACEHOLDER, ...signIns].map((each) => each.password);
}

/** Return the tour, with a working sign-in and an expired token if the server provides them. */
export function tour({ signIns, expiredToken }: Facts): string {
  const { email, password } = signIns.at(-1) ?? PLACEHOLDER;
  const header = JSON.stringify({ Authorization: `Bearer ${expiredToken ?? "AN-EXPIRED-TOKEN"}` });
  return `# A short tour: click into an operation,
# and press Ctrl-Enter (Cmd-Enter on a Mac).
# Escape leads out of the editor, Enter in.

# 1. Sign in, here or above. The bar holds the
#    token, and sends it from then on.
mutation SignIn {
  login(
    email: ${JSON.stringify(email)}
    password: ${JSON.stringify(password)}
  ) {
    status
    message
    token
    expiresAt
    refreshToken
    customer { name email isAdmin }
  }
}

# 2. Who am I?
query Me {
  me { id name email isAdmin createdAt }
}

# 3. The first page of customers, by name.
query FirstPage {
  customers(first: 5, orderBy: { field: NAME }) {
    nodes { name email isAdmin }
    pageInfo { hasNextPage endCursor }
    totalCount
  }
}

# 4. The page after it. Each endCursor is put
#    into the Variables below: run it again.
query NextPage($after: String) {
  customers(
    first: 5
    after: $after
    orderBy: { field: NAME }
  ) {
    nodes { name email isAdmin }
    pageInfo { hasNextPage endCursor }
  }
}

# 5. Where am I signed in?
query Sessions {
  me {
    sessions {
      createdAt
      lastUsedAt
      expiresAt
      userAgent
      isCurrent
    }
  }
}

# 6. What an expired token looks like. Put
#    this into the Headers below for once:
#    ${header}
query ExpiredToken {
  token { valid reason message expiresAt }
  me { name }
}
`;
}
