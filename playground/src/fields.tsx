/** Fields of the bar's forms, which are marked invalid if a notice names them. */
import { useState, type Ref } from "react";
import type { Notice } from "./notice";

/** The id of the element with the notice. */
export const NOTICE_ID = "notice";

interface FieldProps {
  label: string;
  name: string;
  type: "text" | "email" | "password";
  /** The autocomplete hint for password managers. */
  autoComplete: string;
  /** The kind of on-screen keyboard. */
  inputMode?: "numeric" | "text";
  notice: Notice | null;
  initial?: string;
  isOptional?: boolean;
  /** Whether it is the first field of the form, for the focus. */
  isFirst?: boolean;
  onType?: (text: string) => void;
  ref?: Ref<HTMLInputElement> | undefined;
}

export function Field({
  label,
  name,
  notice,
  initial,
  isFirst,
  isOptional,
  onType,
  ...rest
}: FieldProps) {
  const isWrong = notice?.fields?.includes(name);
  return (
    <label>
      <span>{label}</span>
      <input
        {...rest}
        name={name}
        defaultValue={initial}
        required={!isOptional}
        data-first={isFirst || undefined}
        aria-invalid={isWrong || undefined}
        aria-describedby={isWrong ? NOTICE_ID : undefined}
        onChange={(event) => onType?.(event.currentTarget.value)}
      />
    </label>
  );
}

/** A password field with a button that shows the password. */
export function Password(props: Omit<FieldProps, "type">) {
  const [isShown, show] = useState(false);
  return (
    <div className="password">
      <Field {...props} type={isShown ? "text" : "password"} />
      <button
        type="button"
        aria-pressed={isShown}
        aria-label={`Show ${props.label.toLowerCase()}`}
        onClick={() => show(!isShown)}
      >
        Show
      </button>
    </div>
  );
}
