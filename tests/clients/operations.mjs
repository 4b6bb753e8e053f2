// What the scenarios of all clients ask for.
export const LIST = `query List($first: Int!) {
  customers(first: $first) { nodes { id name } pageInfo { hasNextPage } }
}`;
export const SIGN_IN = `mutation SignIn($email: String!, $password: String!) {
  login(email: $email, password: $password) { status token }
}`;
export const DEFERRED = `query Deferred { token { ...Later @defer } }
fragment Later on TokenReport { valid }`;
