"""Pages for browsers: those of the links in letters, and the playground.

Their files are in web/account and web/static.
"""
