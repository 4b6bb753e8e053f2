"""Second factors: sign-in by each kind of them, and the consequences of adding or removing one."""
