/** What the server tells the page beyond its files: in the demo, who may sign in. */
export interface SignIn {
  role: string;
  email: string;
  password: string;
}

export interface Facts {
  signIns: SignIn[];
  /** A token that has expired, to look at what comes of it. */
  expiredToken: string | null;
}

/** Read the facts out of the page. */
export function readFacts(page: Document): Facts {
  const content = page.querySelector<HTMLMetaElement>('meta[name="facts"]')?.content;
  return { signIns: [], expiredToken: null, ...(JSON.parse(content ?? "{}") as Partial<Facts>) };
}
