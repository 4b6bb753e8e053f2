"""Mail of accounts: letters, their links, and registrations that wait for one."""
