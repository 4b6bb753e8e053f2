/** The server's data for the page: in the demo, the accounts to sign in to. */
export interface SignIn {
  role: string;
  email: string;
  password: string;
}

export interface Facts {
  signIns: SignIn[];
  /** An expired token, with which the tour shows what the server answers to one. */
  expiredToken: string | null;
}

/** Read the facts from the page's meta element. */
export function readFacts(page: Document): Facts {
  const content = page.querySelector<HTMLMetaElement>('meta[name="facts"]')?.content;
  return { signIns: [], expiredToken: null, ...(JSON.parse(content ?? "{}") as Partial<Facts>) };
}
