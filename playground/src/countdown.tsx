/** The countdown to the token's expiry. */
import { useEffect, useState } from "react";
import { timeLeft, type Session } from "./held";

const SECOND = 1000;
/** Seconds before expiry at which the countdown begins to warn. */
export const WARNING = 60;

/** Return the current time in milliseconds, and render again every second. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const ticking = setInterval(() => setNow(Date.now()), SECOND);
    return () => clearInterval(ticking);
  }, []);
  return now;
}

/** Format seconds as h:mm:ss or m:ss. */
export function clock(seconds: number): string {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, index) => (index ? String(part).padStart(2, "0") : part)).join(":");
}

export function Countdown({ held }: { held: Session }) {
  const rest = timeLeft(held, useNow());
  if (rest === null) return null;
  const seconds = Math.ceil(rest / SECOND);
  const state = seconds > WARNING ? "good" : seconds > 0 ? "last" : "over";
  return (
    <span className={`countdown ${state}`} role="timer" aria-live="off">
      {state === "over" ? "Token expired" : `Token expires in ${clock(seconds)}`}
      <span className="unseen" role="status">
        {
          { good: "", last: "The token expires within a minute.", over: "The token has expired." }[
            state
          ]
        }
      </span>
    </span>
  );
}
