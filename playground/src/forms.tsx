/** The bar's forms while nobody is signed in. */
import { useRef, type FormEvent, type ReactNode, type RefObject } from "react";
import type { Factors } from "./factors";
import type { SignIn } from "./facts";
import { Field, Password } from "./fields";
import type { Keeper } from "./keeper";
import type { State } from "./world";

/** Which form is shown. */
export type Form = "sign in" | "register" | "forgotten";

interface FormProps {
  keeper: Keeper;
  factors: Factors;
  state: State;
  /** What the server lacks, and so is not offered. */
  lacks: string[];
  /** The address that was last typed or signed in with, shared by the forms. */
  email: RefObject<string>;
  go: (form: Form) => void;
}

export function SignInForm({ keeper, factors, state, lacks, email, go }: FormProps) {
  const password = useRef<HTMLInputElement>(null);
  const submit = async (typed: FormData) => {
    if (!(await keeper.signIn(text(typed, "email"), text(typed, "password"))))
      password.current?.select();
  };
  return (
    <FormOf name="Sign in" isBusy={state.busy} onSubmit={submit}>
      <EMail state={state} email={email} />
      <Password
        label="Password"
        name="password"
        autoComplete="current-password"
        notice={state.notice}
        ref={password}
      />
      <button type="submit" className="main" disabled={state.busy}>
        Sign in
      </button>
      {!lacks.includes("passwordReset") && (
        <button type="button" className="link" onClick={() => go("forgotten")}>
          Forgot it?
        </button>
      )}
      <button type="button" disabled={state.busy} onClick={() => void factors.signIn()}>
        Use a passkey
      </button>
      {!lacks.includes("registration") && (
        <button type="button" className="link" onClick={() => go("register")}>
          Create an account
        </button>
      )}
    </FormOf>
  );
}

export function RegisterForm({ keeper, state, email, go }: FormProps) {
  const { notice } = state;
  const submit = async (typed: FormData) => {
    const applicant = {
      name: text(typed, "name"),
      email: text(typed, "email"),
      password: text(typed, "password"),
    };
    if (await keeper.register(applicant)) go("sign in");
  };
  return (
    <FormOf name="Create an account" isBusy={state.busy} onSubmit={submit}>
      <Field label="Name" name="name" type="text" autoComplete="name" notice={notice} isFirst />
      <EMail state={state} email={email} isFirst={false} />
      <Password label="Password" name="password" autoComplete="new-password" notice={notice} />
      <button type="submit" className="main" disabled={state.busy}>
        Create the account
      </button>
      <Back go={go} />
    </FormOf>
  );
}

export function ForgottenForm({ keeper, state, email, go }: FormProps) {
  const submit = async (typed: FormData) => {
    if (await keeper.requestPasswordReset(text(typed, "email"))) go("sign in");
  };
  return (
    <FormOf name="Reset a forgotten password" isBusy={state.busy} onSubmit={submit}>
      <EMail state={state} email={email} />
      <button type="submit" className="main" disabled={state.busy}>
        Send me a link
      </button>
      <Back go={go} />
    </FormOf>
  );
}

/** Buttons that sign in to the demo's accounts. */
export function DemoSignIns({
  keeper,
  state,
  signIns,
}: Pick<FormProps, "keeper" | "state"> & { signIns: SignIn[] }) {
  return (
    <div className="demo" role="group" aria-label="Sign in to the demo">
      <span>Demo:</span>
      {signIns.map((each) => (
        <button
          type="button"
          key={each.role}
          disabled={state.busy}
          onClick={() => keeper.signIn(each.email, each.password)}
        >
          Sign in as {each.role}
        </button>
      ))}
    </div>
  );
}

interface FormOfProps {
  name: string;
  isBusy: boolean;
  onSubmit: (typed: FormData) => Promise<void>;
  children: ReactNode;
}

export function FormOf({ name, isBusy, onSubmit, children }: FormOfProps) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (!isBusy) void onSubmit(new FormData(event.currentTarget));
  };
  return (
    <form aria-label={name} onSubmit={submit}>
      {children}
    </form>
  );
}

interface EMailProps extends Pick<FormProps, "state" | "email"> {
  isFirst?: boolean;
}

function EMail({ state, email, isFirst = true }: EMailProps) {
  return (
    <Field
      label="E-mail"
      name="email"
      type="email"
      autoComplete="username"
      notice={state.notice}
      initial={email.current}
      isFirst={isFirst}
      onType={(typed) => (email.current = typed)}
    />
  );
}

function Back({ go }: Pick<FormProps, "go">) {
  return (
    <button type="button" className="link" onClick={() => go("sign in")}>
      Back to the sign-in
    </button>
  );
}

export function text(typed: FormData, name: string): string {
  return String(typed.get(name) ?? "");
}
