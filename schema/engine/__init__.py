"""GraphQL modules that belong to no area: context, connections, scalars, limits, masking, refusals."""
