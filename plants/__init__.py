"""What a plant knows (rules), keeps (store) and does (commands); the hub runs the same over all plants."""
