"""Second factors: what each kind is good for, and what comes with one that is added or removed."""
