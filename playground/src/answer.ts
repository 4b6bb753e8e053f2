/** Answers of the API, and the results of the mutations in them. */
import { Kind, OperationTypeNode, parse } from "graphql";
import type { DocumentNode, FieldNode, FragmentDefinitionNode, SelectionSetNode } from "graphql";

export type Json = Record<string, unknown>;

export interface Refusal {
  message: string;
  extensions?: { code?: string; reason?: string; expiredAt?: string; methods?: string[] };
}

export interface Answer {
  data?: Json | null;
  errors?: Refusal[];
}

/** The result of a mutation: its field's name, and its payload by the schema's names. */
export interface Result {
  field: string;
  payload: Json;
}

type Fragments = Map<string, FragmentDefinitionNode>;

/**
 * Return the results of an answer's mutations, in the order in which they ran.
 *
 * Aliases and fragments are resolved, so that it doesn't matter how an operation is written.
 */
export function results(query: string, name: string | undefined, answer: Answer): Result[] {
  if (!answer.data) return [];
  const document = parse(query);
  const operation = document.definitions.find(
    (each) => each.kind === Kind.OPERATION_DEFINITION && (!name || each.name?.value === name),
  );
  if (operation?.kind !== Kind.OPERATION_DEFINITION) return [];
  if (operation.operation !== OperationTypeNode.MUTATION) return [];
  const fragments = named(document);
  return [...byKey([operation.selectionSet], fragments)].flatMap(([key, nodes]) => {
    const payload = unaliased(answer.data?.[key], nodes, fragments);
    return isObject(payload) ? [{ field: nodes[0]!.name.value, payload }] : [];
  });
}

/** Return the names of a document's operations, undefined if anonymous; [] on a syntax error. */
export function operationNames(query: string): (string | undefined)[] {
  try {
    return parse(query).definitions.flatMap((each) =>
      each.kind === Kind.OPERATION_DEFINITION ? [each.name?.value] : [],
    );
  } catch {
    return [];
  }
}

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function named(document: DocumentNode): Fragments {
  return new Map(
    document.definitions
      .filter((each) => each.kind === Kind.FRAGMENT_DEFINITION)
      .map((each) => [each.name.value, each]),
  );
}

/** Return a value with the schema's field names in place of aliases. */
function unaliased(value: unknown, nodes: FieldNode[], fragments: Fragments): unknown {
  if (Array.isArray(value)) return value.map((each) => unaliased(each, nodes, fragments));
  if (!isObject(value)) return value;
  const sets = nodes.flatMap((node) => node.selectionSet ?? []);
  return Object.fromEntries(
    [...byKey(sets, fragments)]
      .filter(([key]) => key in value)
      .map(([key, below]) => [below[0]!.name.value, unaliased(value[key], below, fragments)]),
  );
}

/** Group the fields of selection sets by their response keys. */
function byKey(sets: readonly SelectionSetNode[], fragments: Fragments): Map<string, FieldNode[]> {
  const found = new Map<string, FieldNode[]>();
  for (const node of sets.flatMap((set) => [...fields(set, fragments)])) {
    const key = node.alias?.value ?? node.name.value;
    found.set(key, [...(found.get(key) ?? []), node]);
  }
  return found;
}

function* fields(set: SelectionSetNode, fragments: Fragments): Generator<FieldNode> {
  for (const each of set.selections) {
    if (each.kind === Kind.FIELD) yield each;
    else {
      const inner = each.kind === Kind.INLINE_FRAGMENT ? each : fragments.get(each.name.value);
      if (inner) yield* fields(inner.selectionSet, fragments);
    }
  }
}
