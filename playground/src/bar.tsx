/** The bar: the signed-in account or a sign-in form, the token's expiry, and notices. */
import { useEffect, useRef, useState, useSyncExternalStore, type RefObject } from "react";
import { Countdown } from "./countdown";
import type { Factors } from "./factors";
import type { Facts } from "./facts";
import { NOTICE_ID } from "./fields";
import { DemoSignIns, ForgottenForm, RegisterForm, SignInForm, type Form } from "./forms";
import type { Session } from "./held";
import type { Keeper } from "./keeper";
import type { Notice } from "./notice";
import { AgainForm, ChallengeForm } from "./proving";
import { Security } from "./security";

interface BarProps {
  keeper: Keeper;
  factors: Factors;
  facts: Facts;
}

const FORMS = { "sign in": SignInForm, register: RegisterForm, forgotten: ForgottenForm };

export function Bar({ keeper, factors, facts: { lacks, signIns } }: BarProps) {
  const state = useSyncExternalStore(keeper.subscribe, keeper.state);
  const [form, setForm] = useState<Form>("sign in");
  const [isOpen, setOpen] = useState(false);
  const bar = useRef<HTMLElement>(null);
  const email = useRef("");
  if (state.held?.email) email.current = state.held.email;
  useEffect(() => {
    if (state.held) setForm("sign in");
    else setOpen(false);
  }, [state.held]);
  const view = state.held ? "signed in" : state.challenge ? "second step" : form;
  useFocusKept(bar, view);
  const Shown = FORMS[form];
  const go = (next: Form) => {
    setForm(next);
    if (!keeper.state().notice?.good) keeper.dismiss();
  };
  const open = () => {
    keeper.dismiss();
    setOpen(true);
  };
  const close = () => {
    keeper.cancel();
    setOpen(false);
  };
  const notice = state.notice && (
    <Refused keeper={keeper} notice={state.notice} go={go} onSetUp={open} />
  );
  return (
    <header className="bar" aria-label="Signing in" aria-busy={state.busy} ref={bar}>
      <div className="row">
        <h1>gql_app</h1>
        {state.held ? (
          <SignedIn keeper={keeper} held={state.held} busy={state.busy} onSecurity={open} />
        ) : state.challenge ? (
          <ChallengeForm keeper={keeper} factors={factors} state={state} />
        ) : (
          <Shown
            keeper={keeper}
            factors={factors}
            state={state}
            lacks={lacks}
            email={email}
            go={go}
          />
        )}
        {view === "sign in" && signIns.length > 0 && (
          <DemoSignIns keeper={keeper} state={state} signIns={signIns} />
        )}
      </div>
      <div role="alert">{!isOpen && notice}</div>
      {state.proofs && !isOpen && <AgainForm keeper={keeper} factors={factors} state={state} />}
      {isOpen && state.held && (
        <Security keeper={keeper} factors={factors} state={state} notice={notice} onClose={close} />
      )}
    </header>
  );
}

/** Keep the focus in the bar when a new view has removed the focused element. */
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

interface SignedInProps {
  keeper: Keeper;
  held: Session;
  busy: boolean;
  onSecurity: () => void;
}

function SignedIn({ keeper, held, busy, onSecurity }: SignedInProps) {
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
      <button type="button" aria-haspopup="dialog" onClick={onSecurity}>
        Second factors
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
  onSetUp: () => void;
}

function Refused({ keeper, notice, go, onSetUp }: RefusedProps) {
  /** Show the sign-in form, and focus it. */
  const signInAgain = () => {
    keeper.forget();
    go("sign in");
    setTimeout(() => focusFirst(document.querySelector(".bar")));
  };
  return (
    <p className={notice.good ? "notice good" : "notice"}>
      <span id={NOTICE_ID}>{notice.words}</span>
      {notice.action === "refresh" && (
        <button type="button" onClick={() => keeper.refresh()}>
          Refresh the token
        </button>
      )}
      {notice.action === "set up" && (
        <button type="button" onClick={onSetUp}>
          Set one up
        </button>
      )}
      {notice.action === "sign in" && (
        <button type="button" onClick={signInAgain}>
          {keeper.state().held ? "Sign in again" : "Go to the sign-in"}
        </button>
      )}
      <button type="button" className="close" aria-label="Dismiss" onClick={() => keeper.dismiss()}>
        ×
      </button>
    </p>
  );
}
