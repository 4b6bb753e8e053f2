/** The dialog to set up, rename and remove the second factors of the signed-in account. */
import { useCallback, useEffect, useRef, useState, type ReactNode } from "react";
import type { Begun, Factor, Factors, Owned } from "./factors";
import { Field } from "./fields";
import { FormOf, text } from "./forms";
import type { Keeper } from "./keeper";
import { AgainForm } from "./proving";
import type { State } from "./world";

interface SecurityProps {
  keeper: Keeper;
  factors: Factors;
  state: State;
  /** The notice about the last action. */
  notice: ReactNode;
  onClose: () => void;
}

/** What replaces the overview: the set-up of an app, or new recovery codes. */
type Step = { kind: "codes"; begun: Begun } | { kind: "recovery"; codes: string[] } | null;

export function Security(props: SecurityProps) {
  const { keeper, factors, state, notice, onClose } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  /** Undefined while it loads, null if that failed. */
  const [owned, setOwned] = useState<Owned | null>();
  const [step, setStep] = useState<Step>(null);
  const load = useCallback(async () => setOwned(await factors.owned()), [factors]);
  useEffect(() => {
    dialog.current?.showModal();
    void load();
  }, [load]);
  useEffect(() => {
    // Where the focused element is gone, keep the focus in the dialog.
    if (!dialog.current?.contains(document.activeElement)) heading.current?.focus();
  });
  /** Show new recovery codes, if any, or the updated overview; null codes are a failure. */
  const finish = async (codes: string[] | null) => {
    if (codes === null) return;
    if (codes.length > 0) return setStep({ kind: "recovery", codes });
    const { notice: told } = keeper.state();
    setStep(null);
    await load();
    if (told) keeper.say(told);
  };
  const change = async (isDone: boolean) => isDone && (await finish([]));
  /** Close the recovery codes and their notice, and show the updated overview. */
  const proceed = () => {
    setStep(null);
    setOwned(undefined);
    keeper.dismiss();
    void load();
  };
  const inner = { ...props, finish, change };
  return (
    <dialog
      className="security"
      role="dialog"
      aria-labelledby="security"
      ref={dialog}
      onClose={onClose}
    >
      <div className="head">
        <h2 id="security" tabIndex={-1} ref={heading}>
          Second factors
        </h2>
        <button type="button" className="close" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
      <div role="alert">{notice}</div>
      {state.proofs ? (
        <AgainForm keeper={keeper} factors={factors} state={state} isFirst />
      ) : step?.kind === "codes" ? (
        <Scanning {...inner} begun={step.begun} onCancel={() => setStep(null)} />
      ) : step?.kind === "recovery" ? (
        <RecoveryCodes codes={step.codes} onKept={proceed} />
      ) : owned ? (
        <Overview {...inner} owned={owned} onBegun={(begun) => setStep({ kind: "codes", begun })} />
      ) : owned === null ? (
        <button type="button" disabled={state.busy} onClick={() => void load()}>
          Try again
        </button>
      ) : (
        <p>One moment …</p>
      )}
    </dialog>
  );
}

interface InnerProps extends SecurityProps {
  finish: (codes: string[] | null) => Promise<void>;
  change: (isDone: boolean) => Promise<unknown>;
}

interface OverviewProps extends InnerProps {
  owned: Owned;
  onBegun: (begun: Begun) => void;
}

/** The account's second factors, and the forms that add one. */
function Overview({ owned, onBegun, ...inner }: OverviewProps) {
  const { factors, state, finish } = inner;
  const begin = async () => {
    const begun = await factors.beginCodes();
    if (begun) onBegun(begun);
  };
  return (
    <>
      {owned.secondFactors.length === 0 && (
        <p>You have none yet: whoever knows your password can sign in.</p>
      )}
      <ul>
        {owned.secondFactors.map((factor) => (
          <Item {...inner} factor={factor} key={factor.id} />
        ))}
      </ul>
      {owned.secondFactors.length > 0 && (
        <p className="row">
          <span>Recovery codes left: {owned.recoveryCodesLeft}</span>
          <button
            type="button"
            disabled={state.busy}
            onClick={async () => finish(await factors.renew())}
          >
            Make new recovery codes
          </button>
        </p>
      )}
      <div className="row">
        <button type="button" disabled={state.busy} onClick={() => void begin()}>
          Set up an app for codes
        </button>
      </div>
      <NewPasskey {...inner} key={owned.secondFactors.length} />
    </>
  );
}

function Item(props: InnerProps & { factor: Factor }) {
  const { factor, factors, state, change } = props;
  const [isRenaming, setRenaming] = useState(false);
  const kind = factor.method === "CODE" ? "App for codes" : "Passkey";
  const name = factor.name ?? kind;
  return (
    <li>
      <p>
        <strong>{name}</strong>
        <span className="hint">
          {factor.name ? `${kind}, since` : "Since"} {day(factor.createdAt)}
          {factor.lastUsedAt ? `, last used ${day(factor.lastUsedAt)}` : ", not used yet"}
        </span>
      </p>
      {isRenaming ? (
        <Renaming {...props} name={name} onEnd={() => setRenaming(false)} />
      ) : (
        <div className="row">
          <button type="button" onClick={() => setRenaming(true)}>
            Rename<span className="unseen"> {name}</span>
          </button>
          <button
            type="button"
            disabled={state.busy}
            onClick={async () => change(await factors.remove(factor.id))}
          >
            Remove<span className="unseen"> {name}</span>
          </button>
        </div>
      )}
    </li>
  );
}

interface RenamingProps extends InnerProps {
  factor: Factor;
  /** Its current name. */
  name: string;
  onEnd: () => void;
}

function Renaming({ factor, name, factors, state, change, onEnd }: RenamingProps) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const submit = async (typed: FormData) => {
    const isDone = await factors.rename(factor.id, text(typed, "name"));
    if (isDone) onEnd();
    await change(isDone);
  };
  return (
    <FormOf name={`Rename ${name}`} isBusy={state.busy} onSubmit={submit}>
      <Field
        label="New name"
        name="name"
        type="text"
        autoComplete="off"
        notice={state.notice}
        initial={factor.name ?? ""}
        ref={field}
      />
      <button type="submit" className="main" disabled={state.busy}>
        Rename
      </button>
      <button type="button" className="link" onClick={onEnd}>
        Cancel
      </button>
    </FormOf>
  );
}

function NewPasskey({ factors, state, finish }: InnerProps) {
  if (factors.hindrance) return <p className="hint">{factors.hindrance}</p>;
  const submit = async (typed: FormData) => finish(await factors.addPasskey(text(typed, "name")));
  return (
    <FormOf name="Add a passkey" isBusy={state.busy} onSubmit={submit}>
      <Field
        label="Name of the passkey"
        name="name"
        type="text"
        autoComplete="off"
        notice={state.notice}
        isOptional
      />
      <button type="submit" disabled={state.busy}>
        Add a passkey
      </button>
    </FormOf>
  );
}

interface ScanningProps extends InnerProps {
  begun: Begun;
  onCancel: () => void;
}

/** The secret for an authenticator app, and the code that confirms it. */
function Scanning({ begun, factors, state, finish, onCancel }: ScanningProps) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const submit = async (typed: FormData) => {
    const codes = await factors.confirmCodes(text(typed, "code"));
    if (codes === null) field.current?.select();
    await finish(codes);
  };
  return (
    <>
      {begun.qrCode && (
        // As an img, in which the server's SVG can run no scripts.
        <img
          className="qr"
          alt="QR code for your app"
          src={`data:image/svg+xml,${encodeURIComponent(begun.qrCode)}`}
        />
      )}
      <p>
        Or type this secret into the app: <code>{grouped(begun.secret)}</code>
        {begun.uri.startsWith("otpauth:") && (
          <>
            {" "}
            (<a href={begun.uri}>open an app on this device</a>)
          </>
        )}
      </p>
      <FormOf name="Confirm the app" isBusy={state.busy} onSubmit={submit}>
        <Field
          label="Code of your app"
          name="code"
          type="text"
          inputMode="numeric"
          autoComplete="one-time-code"
          notice={state.notice}
          ref={field}
        />
        <button type="submit" className="main" disabled={state.busy}>
          Confirm
        </button>
        <button type="button" className="link" onClick={onCancel}>
          Cancel
        </button>
      </FormOf>
    </>
  );
}

/** Recovery codes, which are shown only once. */
function RecoveryCodes({ codes, onKept }: { codes: string[]; onKept: () => void }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const [said, say] = useState("");
  useEffect(() => heading.current?.focus(), []);
  async function copy() {
    try {
      await navigator.clipboard.writeText(codes.join("\n")); // there is no clipboard over plain HTTP
      say("Copied.");
    } catch {
      say("Not copied: select the codes, and copy them by hand.");
    }
  }
  return (
    <>
      <h3 tabIndex={-1} ref={heading}>
        Your recovery codes
      </h3>
      <p>Each works once, in place of a code or a passkey. They are shown only this once.</p>
      <ol className="codes">
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ol>
      <div className="row">
        <button type="button" onClick={() => void copy()}>
          Copy the codes
        </button>
        <button type="button" className="main" onClick={onKept}>
          I have kept them
        </button>
        <span role="status">{said}</span>
      </div>
    </>
  );
}

/** Return a secret in groups of four characters, which are easier to type. */
function grouped(secret: string): string {
  return secret.replace(/(.{4})(?=.)/g, "$1 ");
}

function day(moment: string): string {
  return new Date(moment).toLocaleDateString("en-GB", { dateStyle: "medium" });
}
