"""The doctor: looks at a node, changes nothing, and says in plain words what is wrong and what to do."""
