"""The pages for the links of letters in a real browser."""
