"""The steps by which a database becomes what the shop's tables say."""
