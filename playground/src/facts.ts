/** The server's data for the page: what it lacks, and in the demo the accounts to sign in to. */
export interface SignIn {
  role: string;
  email: string;
  password: string;
}

export interface Facts {
  /** What the server lacks of "passwordReset" and "registration". */
  lacks: string[];
  signIns: SignIn[];
  /** An expired token, with which the tour shows what the server answers to one. */
  expiredToken: string | null;
}

/** Read the facts from the page's meta element. */
export function readFacts(page: Document): Facts {
  const content = page.querySelector<HTMLMetaElement>('meta[name="facts"]')?.content;
  const told = JSON.parse(content ?? "{}") as Partial<Facts>;
  return { lacks: [], signIns: [], expiredToken: null, ...told };
}
