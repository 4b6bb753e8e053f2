/** Forms for a proof of identity: the second step of a sign-in, and reauthentication. */
import { useEffect, useRef, useState } from "react";
import type { Factors } from "./factors";
import { Field, Password } from "./fields";
import { FormOf, text } from "./forms";
import type { Keeper } from "./keeper";
import type { Proof, State } from "./world";

interface ProvingProps {
  keeper: Keeper;
  factors: Factors;
  state: State;
}

/** The second step of a sign-in. */
export function ChallengeForm({ keeper, factors, state }: ProvingProps) {
  return (
    <ProofForm
      name="Second step of the sign-in"
      button="Sign in"
      methods={state.challenge?.methods ?? []}
      state={state}
      hindrance={factors.hindrance}
      onProof={(proof) => keeper.verify(proof)}
      onPasskey={() => factors.verify()}
      onCancel={() => keeper.cancel()}
      isFirst
    />
  );
}

interface AgainProps extends ProvingProps {
  /** Whether it takes the focus. */
  isFirst?: boolean;
}

/** The reauthentication of the signed-in account. */
export function AgainForm({ keeper, factors, state, isFirst }: AgainProps) {
  return (
    <ProofForm
      name="Prove again that it is you"
      button="Prove it"
      methods={state.proofs ?? []}
      state={state}
      hindrance={factors.hindrance}
      onProof={(proof) => keeper.prove(proof)}
      onPasskey={() => factors.prove()}
      onCancel={() => keeper.cancel()}
      isFirst={isFirst ?? false}
    />
  );
}

interface ProofFormProps {
  name: string;
  button: string;
  methods: string[];
  state: State;
  hindrance: string | null;
  onProof: (proof: Proof) => Promise<boolean>;
  onPasskey: () => Promise<boolean>;
  onCancel: () => void;
  isFirst: boolean;
}

function ProofForm(props: ProofFormProps) {
  const { name, button, methods, state, onProof, onCancel, isFirst } = props;
  const typed = useRef<HTMLInputElement>(null);
  const [byRecovery, setRecovery] = useState(!methods.includes("CODE"));
  const byPassword = methods.includes("PASSWORD");
  const byCode = methods.includes("CODE") || methods.includes("RECOVERY_CODE");
  const hasField = byPassword || byCode;
  useEffect(() => {
    if (isFirst) typed.current?.focus();
  }, [isFirst, byRecovery]);
  const submit = async (form: FormData) => {
    const proof = byPassword ? { password: text(form, "password") } : { code: text(form, "code") };
    if (!(await onProof(proof))) typed.current?.select();
  };
  return (
    <FormOf name={name} isBusy={state.busy} onSubmit={submit}>
      {byPassword ? (
        <Password
          label="Password"
          name="password"
          autoComplete="current-password"
          notice={state.notice}
          isFirst={isFirst}
          ref={typed}
        />
      ) : (
        byCode && (
          <Field
            key={String(byRecovery)}
            label={byRecovery ? "Recovery code" : "Code of your app"}
            name="code"
            type="text"
            inputMode={byRecovery ? "text" : "numeric"}
            autoComplete={byRecovery ? "off" : "one-time-code"}
            notice={state.notice}
            isFirst={isFirst}
            ref={typed}
          />
        )
      )}
      {hasField && (
        <button type="submit" className="main" disabled={state.busy}>
          {button}
        </button>
      )}
      {methods.includes("PASSKEY") && <ByPasskey {...props} isMain={!hasField} />}
      {methods.includes("CODE") && methods.includes("RECOVERY_CODE") && (
        <button type="button" className="link" onClick={() => setRecovery(!byRecovery)}>
          {byRecovery ? "Use the app" : "Use a recovery code"}
        </button>
      )}
      <button type="button" className="link" onClick={onCancel}>
        Cancel
      </button>
    </FormOf>
  );
}

/** The button for a passkey, or why the page can't use passkeys. */
function ByPasskey({ hindrance, state, onPasskey, isMain }: ProofFormProps & { isMain: boolean }) {
  if (hindrance) return <span className="hint">{hindrance}</span>;
  return (
    <button
      type="button"
      className={isMain ? "main" : undefined}
      data-first={isMain || undefined}
      disabled={state.busy}
      onClick={() => void onPasskey()}
    >
      Use a passkey
    </button>
  );
}
