/** The link of a letter that resets a password: its token goes from the address into a form. */
import { useEffect, useState } from "react";

/** Take the token out of an address's fragment; null if there is none. */
export function resetToken(hash: string): string | null {
  return new URLSearchParams(hash.replace(/^#/, "")).get("token");
}

/** Hold the token that the address has, or comes to have while the page is open. */
export function useResetToken(): [string | null, () => void] {
  const [token, setToken] = useState(taken);
  useEffect(() => {
    const take = () => setToken((before) => taken() ?? before);
    addEventListener("hashchange", take);
    return () => removeEventListener("hashchange", take);
  }, []);
  return [token, () => setToken(null)];
}

/** Leave no token in the address, where it would be copied and kept with what was visited. */
function taken(): string | null {
  const token = resetToken(location.hash);
  if (token !== null) history.replaceState(null, "", location.pathname);
  return token || null;
}
