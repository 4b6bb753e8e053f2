// What an application of Relay's would have in its components; only the compiler reads this.
import { graphql } from "relay-runtime";

graphql`
  mutation operationsSignInMutation($email: String!, $password: String!) {
    login(email: $email, password: $password) {
      token
      customer {
        id
      }
    }
  }
`;

graphql`
  fragment operations_customer on Customer @refetchable(queryName: "operationsCustomerRefetchQuery") {
    id
    name
    phone
  }
`;

graphql`
  fragment operations_session on Session @refetchable(queryName: "operationsSessionRefetchQuery") {
    id
    isCurrent
  }
`;

graphql`
  fragment operations_event on AuditEvent @refetchable(queryName: "operationsEventRefetchQuery") {
    id
    action
  }
`;

graphql`
  fragment operations_factor on SecondFactor
  @refetchable(queryName: "operationsFactorRefetchQuery") {
    id
    method
    name
  }
`;

graphql`
  query operationsSessionsQuery {
    me {
      sessions {
        id
        ...operations_session
      }
      secondFactors {
        id
        ...operations_factor
      }
    }
  }
`;

graphql`
  query operationsCustomersQuery($count: Int!) {
    ...operations_customers @arguments(count: $count)
  }
`;

graphql`
  fragment operations_customers on Query
  @argumentDefinitions(count: { type: "Int" }, cursor: { type: "String" })
  @refetchable(queryName: "operationsCustomersPageQuery") {
    customers(first: $count, after: $cursor) @connection(key: "operations__customers") {
      edges {
        node {
          id
          ...operations_customer
        }
      }
    }
  }
`;

graphql`
  query operationsEventsQuery($count: Int!) {
    ...operations_events @arguments(count: $count)
  }
`;

graphql`
  fragment operations_events on Query
  @argumentDefinitions(count: { type: "Int" }, cursor: { type: "String" })
  @refetchable(queryName: "operationsEventsPageQuery") {
    auditEvents(first: $count, after: $cursor) @connection(key: "operations__auditEvents") {
      edges {
        node {
          id
          ...operations_event
        }
      }
    }
  }
`;

graphql`
  query operationsLastEventsQuery($count: Int!) {
    ...operations_lastEvents @arguments(count: $count)
  }
`;

graphql`
  fragment operations_lastEvents on Query
  @argumentDefinitions(count: { type: "Int" }, cursor: { type: "String" })
  @refetchable(queryName: "operationsLastEventsPageQuery") {
    auditEvents(last: $count, before: $cursor) @connection(key: "operationsLast__auditEvents") {
      edges {
        node {
          id
        }
      }
    }
  }
`;

graphql`
  mutation operationsCreateMutation($input: CreateCustomerInput!) {
    createCustomer(input: $input) {
      customer {
        id
        ...operations_customer
      }
    }
  }
`;

graphql`
  mutation operationsDeleteMutation($id: ID!) {
    deleteCustomer(id: $id) {
      status
      deletedId @deleteRecord
    }
  }
`;

graphql`
  mutation operationsEndSessionMutation($id: ID!) {
    endSession(id: $id) {
      status
    }
  }
`;

graphql`
  query operationsMeQuery {
    me {
      name
    }
  }
`;

graphql`
  query operationsMeOrThrowQuery @throwOnFieldError {
    me {
      name
    }
  }
`;
