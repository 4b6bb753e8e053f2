"""Second factors: those that an account has, and sign-ins that wait for one."""
