"""The GraphQL contract: types, inputs and thin resolvers, one schema for each role."""
