"""The steps by which a database becomes what the market's tables say."""
