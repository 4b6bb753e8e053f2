/** The bar: who is signed in, for how long, and what was refused. */
import { useEffect, useRef, useState, useSyncExternalStore, type RefObject } from "react";
import { Countdown } from "./countdown";
import type { SignIn } from "./facts";
import { NOTICE_ID } from "./fields";
import { DemoSignIns, ForgottenForm, RegisterForm, SignInForm, type Form } from "./forms";
import type { Held } from "./held";
import type { Keeper } from "./keeper";
import type { Notice } from "./notice";

interface BarProps {
  keeper: Keeper;
  signIns: SignIn[];
}

const FORMS = { "sign in": SignInForm, register: RegisterForm, forgotten: ForgottenForm };

export function Bar({ keeper, signIns }: BarProps) {
  const seen = useSyncExternalStore(keeper.subscribe, keeper.seen);
  const [form, setForm] = useState<Form>("sign in");
  const bar = useRef<HTMLElement>(null);
  const email = useRef("");
  if (seen.held?.email) email.current = seen.held.email;
  useEffect(() => {
    if (seen.held) setForm("sign in");
  }, [seen.held]);
  const view = seen.held ? "signed in" : form;
  useFocusKept(bar, view);
  const Shown = FORMS[form];
  const go = (next: Form) => {
    setForm(next);
    if (!keeper.seen().notice?.good) keeper.dismiss();
  };
  return (
    <header className="bar" aria-label="Signing in" aria-busy={seen.busy} ref={bar}>
      <div className="row">
        <h1>gql_app</h1>
        {seen.held ? (
          <SignedIn keeper={keeper} held={seen.held} busy={seen.busy} />
        ) : (
          <Shown keeper={keeper} seen={seen} email={email} go={go} />
        )}
        {view === "sign in" && signIns.length > 0 && (
          <DemoSignIns keeper={keeper} seen={seen} signIns={signIns} />
        )}
      </div>
      <div role="alert">
        {seen.notice && <Refused keeper={keeper} notice={seen.notice} go={go} />}
      </div>
    </header>
  );
}

/** Leave the focus in the bar when what had it is gone because the bar shows something else. */
function useFocusKept(bar: RefObject<HTMLElement | null>, view: string): void {
  const before = useRef(view);
  useEffect(() => {
    if (before.current === view) return;
    before.current = view;
    if (document.activeElement === document.body) focusFirst(bar.current);
  }, [bar, view]);
}

function focusFirst(bar: HTMLElement | null): void {
  bar?.querySelector<HTMLElement>("[data-first]")?.focus();
}

function SignedIn({ keeper, held, busy }: { keeper: Keeper; held: Held; busy: boolean }) {
  return (
    <>
      <p className="who" data-first tabIndex={-1}>
        <span className="unseen">Signed in: </span>
        <strong title={held.name ?? undefined}>{held.name ?? "Somebody"}</strong>
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

interface RefusedProps {
  keeper: Keeper;
  notice: Notice;
  go: (form: Form) => void;
}

function Refused({ keeper, notice, go }: RefusedProps) {
  /** Bring the form, and whoever uses a keyboard to it. */
  const signInAgain = () => {
    keeper.forget();
    go("sign in");
    setTimeout(() => focusFirst(document.querySelector(".bar")));
  };
  return (
    <p className={notice.good ? "notice good" : "notice"}>
      <span id={NOTICE_ID}>{notice.words}</span>
      {notice.wayOut === "refresh" && (
        <button type="button" onClick={() => keeper.refresh()}>
          Refresh the token
        </button>
      )}
      {notice.wayOut === "sign in" && (
        <button type="button" onClick={signInAgain}>
          {keeper.seen().held ? "Sign in again" : "Go to the sign-in"}
        </button>
      )}
      <button type="button" className="close" aria-label="Dismiss" onClick={() => keeper.dismiss()}>
        ×
      </button>
    </p>
  );
}
