"""What has no area: context, connections, scalars, limits, masking, refusals."""
