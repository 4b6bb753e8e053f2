/** Fields of the bar's forms, which say when it is them that have to be mended. */
import { useState, type Ref } from "react";
import type { Notice } from "./notice";

/** The id of what is shown about a form. */
export const NOTICE_ID = "notice";

interface FieldProps {
  label: string;
  name: string;
  type: "text" | "email" | "password";
  /** What a password manager takes it for. */
  autoComplete: string;
  /** What a phone shows for it. */
  inputMode?: "numeric" | "text";
  notice: Notice | null;
  initial?: string;
  isOptional?: boolean;
  /** Whether the form begins with it. */
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

/** A password, to be looked at if it is wished. */
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
