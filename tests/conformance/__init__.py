"""graphql-core's own tests of execution, with the compiled executor in place of its own."""
