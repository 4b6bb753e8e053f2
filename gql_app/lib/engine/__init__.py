"""GraphQL documents: parsed, limited, validated, compiled and executed."""
