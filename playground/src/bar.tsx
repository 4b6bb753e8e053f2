/** The bar: who is signed in, for how long, and what was refused. */
import { useEffect, useRef, useSyncExternalStore, type FormEvent, type RefObject } from "react";
import { Countdown } from "./countdown";
import type { SignIn } from "./facts";
import type { Held } from "./held";
import type { Keeper, Seen } from "./keeper";
import type { Notice } from "./notice";

interface BarProps {
  keeper: Keeper;
  signIns: SignIn[];
}

export function Bar({ keeper, signIns }: BarProps) {
  const seen = useSyncExternalStore(keeper.subscribe, keeper.seen);
  const bar = useRef<HTMLElement>(null);
  const email = useRef("");
  if (seen.held?.email) email.current = seen.held.email;
  useFocusKept(bar, seen.held !== null);
  return (
    <header className="bar" aria-label="Signing in" aria-busy={seen.busy} ref={bar}>
      <div className="row">
        <h1>gql_app</h1>
        {seen.held ? (
          <SignedIn keeper={keeper} held={seen.held} busy={seen.busy} />
        ) : (
          <SignedOut keeper={keeper} signIns={signIns} email={email} seen={seen} />
        )}
      </div>
      <div role="alert">{seen.notice && <Refused keeper={keeper} notice={seen.notice} />}</div>
    </header>
  );
}

/** Leave the focus in the bar when what had it is gone because somebody signed in or out. */
function useFocusKept(bar: RefObject<HTMLElement | null>, signedIn: boolean): void {
  const before = useRef(signedIn);
  useEffect(() => {
    if (before.current === signedIn) return;
    before.current = signedIn;
    if (document.activeElement === document.body)
      bar.current?.querySelector<HTMLElement>("[data-first]")?.focus();
  }, [bar, signedIn]);
}

function SignedIn({ keeper, held, busy }: { keeper: Keeper; held: Held; busy: boolean }) {
  return (
    <>
      <p className="who" data-first tabIndex={-1}>
        <span className="unseen">Signed in: </span>
        <strong>{held.name ?? "Somebody"}</strong>
        {held.isAdmin !== null && (
          <span className="role">{held.isAdmin ? "admin" : "customer"}</span>
        )}
      </p>
      <Countdown held={held} />
      <button type="button" disabled={busy || !held.refreshToken} onClick={() => keeper.refresh()}>
        Refresh
      </button>
      <button type="button" onClick={() => keeper.signOut()}>
        Sign out
      </button>
    </>
  );
}

interface SignedOutProps extends BarProps {
  email: RefObject<string>;
  seen: Seen;
}

function SignedOut({ keeper, signIns, email, seen }: SignedOutProps) {
  const password = useRef<HTMLInputElement>(null);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const typed = new FormData(event.currentTarget);
    email.current = String(typed.get("email"));
    if (await keeper.signIn(email.current, String(typed.get("password")))) return;
    password.current?.select();
  }

  return (
    <>
      <form onSubmit={submit}>
        <label>
          <span>E-mail</span>
          <input
            type="email"
            name="email"
            autoComplete="username"
            defaultValue={email.current}
            required
            data-first
          />
        </label>
        <label>
          <span>Password</span>
          <input
            type="password"
            name="password"
            autoComplete="current-password"
            required
            ref={password}
          />
        </label>
        <button type="submit" className="main" disabled={seen.busy}>
          Sign in
        </button>
      </form>
      {signIns.length > 0 && (
        <div className="demo" role="group" aria-label="Sign in to the demo">
          <span>Demo:</span>
          {signIns.map((each) => (
            <button
              type="button"
              key={each.role}
              disabled={seen.busy}
              onClick={() => keeper.signIn(each.email, each.password)}
            >
              Sign in as {each.role}
            </button>
          ))}
        </div>
      )}
    </>
  );
}

function Refused({ keeper, notice }: { keeper: Keeper; notice: Notice }) {
  return (
    <p className="notice">
      <span>{notice.words}</span>
      {notice.wayOut === "refresh" && (
        <button type="button" onClick={() => keeper.refresh()}>
          Refresh
        </button>
      )}
      {notice.wayOut === "sign in" && (
        <button type="button" onClick={() => signInAgain(keeper)}>
          {keeper.seen().held ? "Sign in again" : "Sign in"}
        </button>
      )}
      <button type="button" className="close" aria-label="Dismiss" onClick={() => keeper.dismiss()}>
        ×
      </button>
    </p>
  );
}

/** Bring the form, and whoever uses a keyboard to it. */
function signInAgain(keeper: Keeper): void {
  keeper.forget();
  keeper.dismiss();
  setTimeout(() => document.querySelector<HTMLElement>(".bar [data-first]")?.focus());
}
